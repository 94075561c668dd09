"""The formats that a network can be read from, by the end of a file's name. To add one: one file, one line here.

A reader is a function from a path to a `Network`; it raises `ModelError` in one line, and is imported when it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from qbench.errors import ModelError
from qbench.graph.network import Network

READERS: Mapping[str, str] = {".onnx": "qbench.graph.onnx.read:read_onnx"}
"""Suffix -> `module:function`."""


def is_network_file(name: str | Path) -> bool:
    """Return whether a name ends as a file of a format that can be read."""
    return Path(name).suffix.lower() in READERS


def read_network(path: Path) -> Network:
    """Return the network of a file.

    Raises:
        ModelError: there is no reader for it, or its reader refuses it.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ModelError(f"{path}: expected a file of {' or '.join(READERS)}, got one of '{suffix}'")
    module, _, function = READERS[suffix].partition(":")
    network: Network = getattr(importlib.import_module(module), function)(path)
    return network
