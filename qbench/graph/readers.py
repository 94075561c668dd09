"""The formats that a network can be read from, by the end of a file's name. To add one: one file, one line here.

A reader is a function from a path, and shapes of inputs, to a `Network`; it raises `ModelError` in one line, and is
imported when it is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from qbench.errors import ModelError
from qbench.graph.network import Network
from qbench.graph.nodes import Shape

READERS: Mapping[str, str] = {".onnx": "qbench.graph.onnx.read:read_onnx"}
"""Suffix -> `module:function`."""
NO_SHAPES: Mapping[str, Shape] = MappingProxyType({})


def is_network_file(name: str | Path) -> bool:
    """Return whether a name ends as a file of a format that can be read."""
    return Path(name).suffix.lower() in READERS


def parse_shape(text: str) -> Shape:
    """Return the sizes that `3x48x192` says, the batch left out; raise ModelError where it says something else."""
    words = text.strip().split("x")
    if not all(word.isascii() and word.isdecimal() and 0 < int(word[:10]) < 2**31 for word in words):
        raise ModelError(f"shape: expected sizes without the batch, such as 3x48x192, got '{text}'")
    return tuple(int(word) for word in words)


def parse_shapes(words: Iterable[str]) -> dict[str, Shape]:
    """Return the shapes that words such as `x=3x48x192` give to inputs.

    Raises:
        ModelError: a word names no input or no sizes, or an input is named twice.
    """
    found: dict[str, Shape] = {}
    for word in words:
        name, _, sizes = word.rpartition("=")
        if not name or name in found:
            raise ModelError(f"shape: expected one INPUT=SIZES for an input, such as x=3x48x192, got '{word}'")
        found[name] = parse_shape(sizes)
    return found


def read_network(path: Path, *, shapes: Mapping[str, Shape] = NO_SHAPES) -> Network:
    """Return the network of a file; `shapes` (without the batch) fixes the sizes of inputs that it leaves free.

    Raises:
        ModelError: there is no reader for it, or its reader refuses it.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ModelError(f"{path}: expected a file of {' or '.join(READERS)}, got one of '{suffix}'")
    module, _, function = READERS[suffix].partition(":")
    network: Network = getattr(importlib.import_module(module), function)(path, shapes=shapes)
    return network
