"""The formats that a network can be read from, by the end of a file's name. To add one: one file, one line here.

A reader is a function from a path, and shapes of inputs, to a `Network`; it raises `ModelError` in one line, and is
imported when it is used.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from qbench.errors import ModelError
from qbench.graph.network import Network
from qbench.graph.nodes import Given, Shape
from qbench.graph.norms import Normed
from qbench.graph.quantized_network import QuantizedNetwork

READERS: Mapping[str, str] = {".onnx": "qbench.graph.onnx.read:read_onnx"}
"""Suffix -> `module:function`."""

QUANTIZED: Mapping[str, str] = {".onnx": "qbench.graph.quantized.read:read_kept"}
"""Suffix -> `module:function` from a path to a `QuantizedNetwork`, or to None for a file that holds no codes."""

NORMS: Mapping[str, str] = {".onnx": "qbench.graph.onnx.norms:read_norms"}
"""Suffix -> `module:function` from a path, and shapes, to the batch normalizations of a file."""

UNREAD = "codes_not_read"
"""Key of a network's metadata that says why the codes of a quantized file could not be taken."""

NO_SHAPES: Mapping[str, Given] = MappingProxyType({})


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


def parse_bound(words: Iterable[str]) -> dict[str, float]:
    """Return the numbers that words such as `sr=16000` give to inputs; raise ModelError where one says else."""
    found: dict[str, float] = {}
    for word in words:
        name, _, number = word.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not name or name in found or not math.isfinite(value):
            raise ModelError(f"bind: expected one INPUT=NUMBER for an input, such as sr=16000, got '{word}'")
        found[name] = value
    return found


def read_network(path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES) -> Network:
    """Return the network of a file in float32; of a quantized file, the one that its codes stand for.

    Args:
        path: the file.
        shapes: input -> shape without its batch, where the file leaves sizes free, or the one number that it always is.

    Raises:
        ModelError: there is no reader for it, or its reader refuses it.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise ModelError(f"{path}: expected a file of {' or '.join(READERS)}, got one of '{suffix}'")
    unread: dict[str, str] = {}
    try:
        kept = read_codes(path, shapes=shapes, residuals=True)
    except ModelError as error:  # operators on codes still run as they stand, each by another library
        kept, unread = None, {UNREAD: str(error)}
    network: Network = _function(READERS[suffix])(path, shapes=shapes) if kept is None else kept.network
    return replace(network, metadata={**network.metadata, **unread}) if unread else network


def read_codes(
    path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES, residuals: bool = False
) -> QuantizedNetwork | None:
    """Return what a file that is quantized already says; None for a file of floats.

    Args:
        path: the file.
        shapes: input -> shape without its batch, where the file leaves sizes free, or the one number that it always is.
        residuals: whether convolutions take in the additions after them, which the file may round before.

    Raises:
        ModelError: its reader refuses it.
    """
    suffix = path.suffix.lower()
    if suffix not in QUANTIZED:
        return None
    found: QuantizedNetwork | None = _function(QUANTIZED[suffix])(path, shapes=shapes, residuals=residuals)
    return found


def read_norms(path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES) -> Normed | None:
    """Return the batch normalizations of a file; None of a format that has none. Raises as `read_network`."""
    suffix = path.suffix.lower()
    found: Normed | None = _function(NORMS[suffix])(path, shapes=shapes) if suffix in NORMS else None
    return found


def holds_codes(path: Path) -> bool:
    """Return whether a file is quantized already; raise ModelError where it cannot be read."""
    suffix = path.suffix.lower()
    module = QUANTIZED[suffix].partition(":")[0] if suffix in QUANTIZED else ""
    return bool(module) and bool(_function(f"{module}:holds_codes")(path))


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
