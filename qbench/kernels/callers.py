"""How a compiled function of one pointer finds its arguments, and calls a kernel with its share of the work."""

from __future__ import annotations

import importlib
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array

from qbench.kernels.tasks import BOOL, FLOAT, INT


def caller(kernel: str, kinds: str) -> Any:
    """Return the function that calls `kernel(begin, end, *arguments)`, its arguments read from words of `kinds`."""

    def call(arguments: Any, images: int, part: int, parts: int) -> None:
        total = images * word(arguments, 0)  # type: ignore[call-arg]
        begin, end = total * part // parts, total * (part + 1) // parts
        if begin < end:
            _invoke(begin, end, unpacked(arguments, kinds), kernel)

    return call


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
