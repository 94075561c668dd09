"""Functions of one number in float64. What is made of an exponential alone is a loop's vector: no call, no branch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, types
from numba.extending import intrinsic

from qbench.kernels.jit import inlined, jit

LOG2_E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10
"""ln(2) in two numbers, of which 1,024 times the first is exact (fdlibm, e_exp.c)."""
LEAST, MOST = -708.0, 709.0
"""Below, exp(x) is 0 in float32; above, it is infinity in float64."""


@intrinsic
def _power_of_two(typingctx: Any, exponent: Any) -> Any:
    """Return 2 ** exponent, an int64 in -1022..1023: the exponent's bits."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        kind = ir.IntType(64)
        bits = builder.shl(builder.add(values[0], ir.Constant(kind, 1023)), ir.Constant(kind, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.int64), codegen


@inlined
def exponential(x: Any) -> Any:
    """Return exp(x), within 2 units in the last place of float64: Taylor's series to the 13th power."""
    bounded = min(max(x, LEAST), MOST)
    n = np.rint(bounded * LOG2_E)
    r = (bounded - n * LN2_HIGH) - n * LN2_LOW
    p = 1.0 / 6227020800
    p = p * r + 1.0 / 479001600
    p = p * r + 1.0 / 39916800
    p = p * r + 1.0 / 3628800
    p = p * r + 1.0 / 362880
    p = p * r + 1.0 / 40320
    p = p * r + 1.0 / 5040
    p = p * r + 1.0 / 720
    p = p * r + 1.0 / 120
    p = p * r + 1.0 / 24
    p = p * r + 1.0 / 6
    p = p * r + 0.5
    p = (p * r + 1.0) * r + 1.0
    found = p * _power_of_two(int64(n)) if x == x else x  # type: ignore[call-arg]
    return found if x <= MOST else x * math.inf


@inlined
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exponential(-x))


@inlined
def tangent(x: Any) -> Any:
    """Return tanh(x): near 0, where exponentials cancel, by its series."""
    e = exponential(2.0 * x)
    square = x * x
    near = x * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * (17.0 / 315.0))))
    return near if abs(x) < 0.01 else 1.0 - 2.0 / (e + 1.0)


@jit
def softplus(x: float) -> float:
    """Return log(1 + exp(x)), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@jit
def curve(function: int, x: float, p: float, q: float) -> float:
    """Return a function without a root or a logarithm in it."""
    if function == 0:
        return abs(x)
    if function == 1:
        return max(x, 0.0) + min(p * math.expm1(min(x, 0.0) / p), 0.0)
    if function == 2:
        return x if x > 0.0 else p * math.expm1(x)
    if function == 3:
        return math.erf(x)
    if function == 7:
        return min(max(p * x + q, 0.0), 1.0)
    if function == 8:
        return x * min(max(x / 6.0 + 0.5, 0.0), 1.0)
    if function == 9:
        return x if x >= 0.0 else p * x
    if function == 14:
        return q * (x if x > 0.0 else p * math.expm1(x))
    if function == 18:
        return x / (1.0 + abs(x))
    return x if x > p else 0.0


@jit
def value(function: int, x: float, p: float, q: float) -> float:
    """Return one of `FUNCTIONS` of x that is no exponential alone, its parameters p and q."""
    if function == 5:
        return 0.5 * x * (1.0 + math.erf(x * math.sqrt(0.5)))
    if function == 6:
        return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    if function == 10:
        return math.log(x) if x > 0.0 else -math.inf if x == 0.0 else math.nan
    if function == 11:
        return x * math.tanh(softplus(x))
    if function == 12:
        return x**p  # type: ignore[no-any-return]
    if function == 13:
        return 1.0 / x if x != 0.0 else math.inf
    if function == 17:
        return softplus(x)  # type: ignore[no-any-return]
    if function == 19:
        return math.sqrt(x) if x >= 0.0 else math.nan
    return curve(function, x, p, q)  # type: ignore[no-any-return]
