"""Facts about a network in the metadata of its ONNX file."""

from __future__ import annotations

from collections.abc import Mapping

import onnx


def with_metadata(content: bytes, facts: Mapping[str, str]) -> bytes:
    """Return an ONNX model with these facts in place of its metadata."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, dict(facts))
    return bytes(model.SerializeToString())
