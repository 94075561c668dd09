"""Feeds for any network, and what onnxruntime makes of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from qbench.peers.onnxruntime.session import multiply_exactly

Array = npt.NDArray[Any]


def session(model: Path | bytes, *, signed: bool = False) -> onnxruntime.InferenceSession:
    """Return the model's session; onnxruntime multiplies without saturating, which it cannot where codes are signed."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if not signed:
        multiply_exactly(options)
    return onnxruntime.InferenceSession(
        str(model) if isinstance(model, Path) else model, options, providers=["CPUExecutionProvider"]
    )


def feeds_of(model: Path, *, free: int = 9, batch: int = 2) -> dict[str, Array]:
    """Return random inputs: whole numbers 0 and 1 where the file takes whole numbers; free sizes are `free`."""
    generator = np.random.default_rng(0)
    feeds: dict[str, Array] = {}
    for given in session(model).get_inputs():
        shape = [batch if axis == 0 and not isinstance(d, int) else d if isinstance(d, int) else free
                 for axis, d in enumerate(given.shape)]  # fmt: skip
        kind = given.type.removeprefix("tensor(").removesuffix(")")
        feeds[given.name] = (
            generator.normal(size=shape).astype(np.float32)
            if kind == "float"
            else generator.integers(0, 2, size=shape).astype(kind)
        )
    return feeds


def outputs_of_file(model: Path | bytes, feeds: dict[str, Array], *, signed: bool = False) -> list[Array]:
    return list(session(model, signed=signed).run(None, feeds))


def assert_close(found: list[Array], expected: list[Array]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
