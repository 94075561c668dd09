"""Building blocks: a macro over the vocabulary becomes an intrinsic of compiled kernels, or a call when simulated.

A macro takes the vocabulary and its arguments: whole numbers, pointers, lists (tuples of the kernel), and returns
nothing, a number or a list. What it unrolls is decided in Python, by the sizes it closes over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config

from qbench.kernels.cuda.language.dialect import types
from qbench.kernels.cuda.language.emit import F32, I32, Emit
from qbench.kernels.cuda.language.simulate import Simulate

SIMULATED = bool(getattr(config, "ENABLE_CUDASIM", False))
"""Whether kernels run in Numba's simulator: decided by NUMBA_ENABLE_CUDASIM before Numba is imported."""

Macro = Callable[..., Any]
_KINDS = {"i32": (types.int32, I32), "f32": (types.float32, F32)}


def block(macro: Macro, kind: str = "", count: int = 0) -> Any:
    """Return `macro` as a function that kernels call.

    Args:
        macro: see the module's docstring.
        kind: `i32` or `f32` where it returns numbers, "" where it returns nothing.
        count: length of the tuple that it returns; 0 for one number.
    """
    return _simulated(macro, kind, count) if SIMULATED else _intrinsic(macro, kind, count)


def _simulated(macro: Macro, kind: str, count: int) -> Any:
    def call(*arguments: Any) -> Any:
        found = macro(Simulate, *map(_plain, arguments))
        return tuple(found) if count else found

    return call


def _plain(value: Any) -> Any:
    """Return NumPy's whole numbers as Python's, in tuples too."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, np.integer) else value


def _result_type(kind: str, count: int) -> Any:
    if not kind:
        return types.void
    return types.UniTuple(_KINDS[kind][0], count) if count else _KINDS[kind][0]


def _intrinsic(macro: Macro, kind: str, count: int) -> Any:
    from numba.cuda.extending import intrinsic

    def define(typingctx: Any, *kinds: Any) -> Any:
        plain = [_narrow(kind) for kind in map(types.unliteral, kinds)]

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values = [_value(builder, *pair) for pair in zip(plain, arguments, strict=True)]
            found = macro(Emit(builder), *values)
            return _returned(context, builder, found, kind, count)

        return _result_type(kind, count)(*plain), generate

    return intrinsic(_named_as(define, macro, skip=1))


def _narrow(kind: Any) -> Any:
    """Return the 32-bit type of a number: Numba takes what is computed or written out in kernels for 64 bits."""
    if isinstance(kind, types.Integer):
        return types.int32
    return types.float32 if isinstance(kind, types.Float) else kind


def _value(builder: Any, kind: Any, value: Any) -> Any:
    """Return a tuple as a list, an array as the pointer to its data, all else as it is."""
    if isinstance(kind, types.BaseTuple):
        return [_value(builder, part, builder.extract_value(value, i)) for i, part in enumerate(kind)]
    if isinstance(kind, types.Integer) and kind.bitwidth != I32.width:
        return builder.trunc(value, I32) if kind.bitwidth > I32.width else builder.zext(value, I32)
    return builder.extract_value(value, 4) if isinstance(kind, types.Array) else value


def _returned(context: Any, builder: Any, found: Any, kind: str, count: int) -> Any:
    if not kind:
        return context.get_dummy_value()
    if not count:
        return found
    assert len(found) == count, f"a macro returned {len(found)} numbers, expected {count}"
    whole = ir.Constant(ir.ArrayType(_KINDS[kind][1], count), ir.Undefined)
    for i, value in enumerate(found):
        whole = builder.insert_value(whole, value, i)
    return whole


def device_function(function: Macro, returns: Any = types.void) -> Any:
    """Return a function that kernels call, compiled into them; plain Python when simulated.

    Args:
        function: Python that kernels could hold themselves; cuda.jit(device=True) would ask for a device.
        returns: Numba's type of its result.
    """
    if SIMULATED:
        return function

    from numba.cuda.extending import intrinsic

    def define(typingctx: Any, *kinds: Any) -> Any:
        signature = returns(*map(types.unliteral, kinds))

        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            found = context.compile_internal(builder, function, signature, arguments)
            return context.get_dummy_value() if returns is types.void else found

        return signature, generate

    return intrinsic(_named_as(define, function, skip=0))


def _named_as(define: Macro, function: Macro, *, skip: int) -> Macro:
    """Return `define` with the name of `function` and its parameters but the first `skip`: Numba reads both."""
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    first = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    define.__name__ = function.__name__
    define.__signature__ = inspect.Signature([first, *parameters])  # type: ignore[attr-defined]
    return define
