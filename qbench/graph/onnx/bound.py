"""Inputs that the caller gives once and for all: a number in place of an input, which is a constant from then on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from onnx import helper

from qbench.errors import ModelError, suggest
from qbench.graph.nodes import Given, Shape
from qbench.graph.onnx.file import File, Port

NOTE = "bound"
"""Key of the metadata that names the inputs and their numbers."""


def with_bound(file: File, given: Mapping[str, Given]) -> tuple[File, dict[str, Shape]]:
    """Return a file whose bound inputs are constants, and the shapes that are given to others.

    Raises:
        ModelError: the file has no such input, it takes no single number, or not this one.
    """
    numbers = {name: value for name, value in given.items() if not isinstance(value, tuple)}
    shapes = {name: value for name, value in given.items() if isinstance(value, tuple)}
    if not numbers:
        return file, shapes
    ports = {port.name: port for port in file.inputs}
    for name in numbers:
        if name not in ports:
            raise ModelError(f"bind: the file has no input '{name}'{suggest(name, [*ports])}; it has {[*ports]}")
    bound = {name: _constant(ports[name], value) for name, value in numbers.items()}
    notes = {**file.notes, NOTE: ", ".join(f"{name}={value:g}" for name, value in numbers.items())}
    inputs = tuple(port for port in file.inputs if port.name not in bound)
    return replace(file, inputs=inputs, constants={**file.constants, **bound}, notes=notes), shapes


def _constant(port: Port, value: float) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """Return the number in the input's own type and shape, which must be that of one number."""
    if any(size != 1 for size in port.dims):
        shown = ["?" if size == "" else size for size in port.dims]
        raise ModelError(f"bind: input '{port.name}' is {shown}: expected one number; give others as data")
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(port.dtype))
    with np.errstate(invalid="ignore"):  # what does not fit is told below
        array = np.asarray(value).astype(kind)
    if kind.kind not in "fiub" or (float(array) != value and kind.kind != "f"):
        raise ModelError(f"bind: input '{port.name}' is of {kind}, which {value:g} does not fit")
    return array.reshape([1] * len(port.dims))
