"""Kernels as C functions of one pointer, so that a whole network runs in one compiled call.

A *task* is a compiled function `void(int64 *arguments, int64 images, int64 part, int64 parts)` joined to its arguments.
`arguments` is a flat array: addresses, whole numbers, and floats as their bits. With `parts` above 1 a task computes
its `part`-th share only, and the threads of a team meet after each task (`qbench.kernels.program`).

Tiles read their arguments themselves. Every other kernel is an ordinary compiled function
`kernel(begin, end, *arguments)` over units of work, which `task_of` flattens and calls.
"""

from __future__ import annotations

import importlib
import struct
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array

from qbench.kernels.jit import c_function

Words = npt.NDArray[np.int64]
FLOAT, BOOL, INT = "f", "b", "i"


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A compiled function and its arguments; `keep` holds the arrays whose addresses are in them."""

    function: Any
    arguments: Words
    keep: tuple[object, ...] = field(repr=False, default=())

    @property
    def address(self) -> int:
        """Address of the compiled function."""
        return int(self.function.address)


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
    return Task(_caller(kernel, kinds), np.array(words, np.int64), (arguments,))


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


@cache
def _caller(kernel: str, kinds: str) -> Any:
    def call(arguments: Any, images: int, part: int, parts: int) -> None:
        total = images * word(arguments, 0)  # type: ignore[call-arg]
        begin, end = total * part // parts, total * (part + 1) // parts
        if begin < end:
            _invoke(begin, end, unpacked(arguments, kinds), kernel)

    return c_function(call)


def _invoke(begin: int, end: int, arguments: Any, kernel: str) -> None:
    """Call `kernel(begin, end, *arguments)`."""
    raise NotImplementedError("compiled only")


@overload(_invoke, prefer_literal=True)
def _invoke_of(begin: Any, end: Any, arguments: Any, kernel: Any) -> Any:
    if not isinstance(kernel, types.Literal):
        return None
    module, name = kernel.literal_value.split(":")
    compiled = getattr(importlib.import_module(module), name)

    def call(begin: Any, end: Any, arguments: Any, kernel: Any) -> None:
        compiled(begin, end, *arguments)

    return call


@intrinsic
def word(typingctx: Any, arguments: Any, index: Any) -> Any:
    """Return one 64-bit word of a task's arguments."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        return builder.load(builder.gep(values[0], [values[1]]))

    return types.int64(arguments, types.int64), codegen


def _types(kinds: list[str]) -> list[Any]:
    """Consume kinds up to a closing bracket and return Numba's types."""
    found: list[Any] = []
    while kinds:
        kind = kinds.pop(0)
        if kind == ")":
            break
        if kind == "(":
            found.append(types.Tuple(_types(kinds)))  # type: ignore[no-untyped-call]
        elif ":" in kind:
            name, rank = kind.split(":")
            found.append(types.Array(getattr(types, name), int(rank), "C"))
        else:
            found.append({FLOAT: types.float32, BOOL: types.boolean, INT: types.int64}[kind])
    return found


@intrinsic(prefer_literal=True)
def unpacked(typingctx: Any, arguments: Any, kinds: Any) -> Any:
    """Return the tuple of values that `_flatten` described, read from word 1 on."""
    if not isinstance(kinds, types.Literal):
        return None
    result = types.Tuple(_types(kinds.literal_value.split()))  # type: ignore[no-untyped-call]

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        place = iter(range(1, 1 << 20))

        def take() -> Any:
            return builder.load(builder.gep(values[0], [ir.Constant(ir.IntType(64), next(place))]))

        return _build(context, builder, result, take)

    return result(arguments, kinds), codegen


def _build(context: Any, builder: Any, kind: Any, take: Any) -> Any:
    """Emit the value of one type from the words that `take` loads."""
    if isinstance(kind, types.BaseTuple):
        items = [_build(context, builder, item, take) for item in kind.types]  # type: ignore[attr-defined]
        return context.make_tuple(builder, kind, items)
    if isinstance(kind, types.Array):
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        array = make_array(kind)(context, builder)  # type: ignore[no-untyped-call]
        data = builder.inttoptr(take(), context.get_data_type(kind.dtype).as_pointer())
        shape = [take() for _ in range(kind.ndim)]
        strides = [ir.Constant(ir.IntType(64), size)]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        itemsize = ir.Constant(ir.IntType(64), size)
        populate_array(array, data=data, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)  # type: ignore[no-untyped-call]
        return array._getvalue()
    value = take()
    if kind is types.float32:
        return builder.bitcast(builder.trunc(value, ir.IntType(32)), ir.FloatType())
    if kind is types.boolean:
        return cgutils.is_not_null(builder, value)  # type: ignore[no-untyped-call]
    return value
