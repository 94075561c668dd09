"""Float32 functions of one number that LLVM turns into vectors: no table, no branch, no call of a library.

Every product that is added at once is a fused one, so that all variants round alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, int32, types
from numba.extending import intrinsic

from qbench.kernels.jit import inlined
from qbench.kernels.tiles.portable import fma
from qbench.kernels.tokens.rounds import EXP_TERMS, LN2_HIGH, LN2_LOW, LOG2_E


@intrinsic
def power_of_two(typingctx: Any, exponent: Any) -> Any:
    """Return 2 ** exponent, an int32 in -126..127, as float32: the exponent's bits."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        kind = ir.IntType(32)
        bits = builder.shl(builder.add(values[0], ir.Constant(kind, 127)), ir.Constant(kind, 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.int32), codegen


@inlined
def exp_f32(x: Any) -> Any:
    """Return exp(x), within 2 units in the last place; x is clamped to -87..88 (Cephes, expf)."""
    x = min(max(x, float32(-87.0)), float32(88.0))
    n = np.rint(x * float32(LOG2_E))
    r: Any = fma(n, float32(LN2_LOW), fma(n, float32(-LN2_HIGH), x))  # type: ignore[call-arg]
    p: Any = fma(r, float32(EXP_TERMS[0]), float32(EXP_TERMS[1]))
    p = fma(p, r, float32(EXP_TERMS[2]))
    p = fma(p, r, float32(EXP_TERMS[3]))
    p = fma(p, r, float32(EXP_TERMS[4]))
    p = fma(p, r, float32(EXP_TERMS[5]))
    return fma(p, r * r, r + float32(1.0)) * power_of_two(int32(n))


@inlined
def erf_f32(x: Any) -> Any:
    """Return erf(x), within 3e-7: a fraction of two polynomials of x squared on -4..4 (Eigen, generic_fast_erf)."""
    x = min(max(x, float32(-4.0)), float32(4.0))
    y = x * x
    p: Any = fma(y, float32(-2.72614225801306e-10), float32(2.77068142495902e-08))  # type: ignore[call-arg]
    p = fma(p, y, float32(-2.10102402082508e-06))
    p = fma(p, y, float32(-5.69250639462346e-05))
    p = fma(p, y, float32(-7.34990630326855e-04))
    p = fma(p, y, float32(-2.95459980854025e-03))
    p = fma(p, y, float32(-1.60960333262415e-02))
    q: Any = fma(y, float32(-1.45660718464996e-05), float32(-2.13374055278905e-04))
    q = fma(q, y, float32(-1.68282697438203e-03))
    q = fma(q, y, float32(-7.37332916720468e-03))
    q = fma(q, y, float32(-1.42647390514189e-02))
    return x * p / q


@inlined
def gelu_f32(x: Any) -> Any:
    """Return x * (1 + erf(x / sqrt(2))) / 2."""
    half = x * float32(0.5)
    return fma(half, erf_f32(x * float32(0.70710678)), half)  # type: ignore[call-arg]


@inlined
def gelu_tanh_f32(x: Any) -> Any:
    """Return gelu by a tangent: x / (1 + exp(-2 t)), t = sqrt(2 / pi) * (x + 0.044715 x ** 3)."""
    t = float32(-1.59576912) * x * fma(float32(0.044715) * x, x, float32(1.0))  # type: ignore[call-arg]
    return x / (float32(1.0) + exp_f32(t))


@inlined
def code_of(x: Any, inverse_scale: Any, offset: Any, high: Any, floor: Any) -> Any:
    """Return the u8 code of x."""
    t = x * inverse_scale + offset
    t = np.floor(t) if floor else np.rint(t)
    return np.uint8(int32(min(max(t, float32(0.0)), high)))
