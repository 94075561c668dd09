"""Kernels as C functions of one pointer, so that a whole network runs in one compiled call.

A *task* is a compiled function `void(int64 *arguments, int64 images, int64 part, int64 parts)` joined to its arguments.
`arguments` is a flat array: addresses, whole numbers, and floats as their bits. With `parts` above 1 a task computes
its `part`-th share only, and the threads of a team meet after each task (`qbench.kernels.program`).

Tiles read their arguments themselves. Every other kernel is an ordinary compiled function
`kernel(begin, end, *arguments)` over units of work, which `task_of` flattens and `callers` calls.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.native import Compiled, task_function

Words = npt.NDArray[np.int64]
FLOAT, BOOL, INT = "f", "b", "i"
"""Kinds of words, beside arrays' `dtype:rank` and brackets around tuples."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A compiled function and its arguments; `keep` holds the arrays whose addresses are in them.

    Where fewer than `least` images come, the task `few` does the same work in its place.
    """

    function: Compiled
    arguments: Words
    keep: tuple[object, ...] = field(repr=False, default=())
    few: Task | None = None
    least: int = 0

    @property
    def address(self) -> int:
        """Address of the compiled function."""
        return self.function.address


def float_bits(value: float) -> int:
    """Return the bits of a float32."""
    return int(struct.unpack("<i", struct.pack("<f", value))[0])


def task_of(kernel: str, arguments: tuple[Any, ...], *, units: int) -> Task:
    """Return the task of `kernel(begin, end, *arguments)`, compiled once for each kernel and types of arguments.

    Args:
        kernel: `module:function`, compiled by `jit`.
        arguments: C-contiguous arrays, NumPy or Python numbers, booleans, and tuples of them.
        units: units of work an image; `begin` and `end` count them.
    """
    words: list[int] = [units]
    kinds = " ".join(kind for item in arguments for kind in _flatten(item, words))
    return Task(task_function("qbench.kernels.callers:caller", kernel, kinds), np.array(words, np.int64), (arguments,))


def _flatten(value: Any, words: list[int]) -> list[str]:
    """Append a value's words and return how to read them back."""
    if isinstance(value, tuple):
        return ["(", *(kind for item in value for kind in _flatten(item, words)), ")"]
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise ValueError(f"a kernel's array must be contiguous, got strides {value.strides} of {value.shape}")
        words += [value.ctypes.data, *value.shape]
        return [f"{value.dtype.name}:{value.ndim}"]
    if isinstance(value, bool | np.bool_):
        words.append(int(value))
        return [BOOL]
    if isinstance(value, float | np.floating):
        words.append(float_bits(float(value)))
        return [FLOAT]
    words.append(int(value))
    return [INT]
