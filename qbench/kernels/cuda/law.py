"""The law of epilogues in plain NumPy: `fma` rounds once, after the product and the sum.

    t = offset[n]
    t = fma(float32(acc + correction[n]), scale[n], t)            (grouped: for each group, in order)
    t = fma(float32(sum(lhs) + sum_correction), shift[n], t)      (only with "sum": weights with a zero point)
    t = fma(float32(residual), residual_scale, t)                 (only with "residual")
    u8: round half even ("floor": round down), clamp to low..high; f32: clamp

"s32" is acc + correction[n].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def fma(a: Any, b: Any, c: Any) -> Floats:
    """Return a * b + c rounded once to float32, exactly.

    The product is exact in float64. Its sum with c is rounded to odd there, after which rounding to float32 is right
    (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), 2008).
    """
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    c64 = np.asarray(c, np.float64)
    total = product + c64
    part = total - product
    error = (product - (total - part)) + (c64 - part)  # Knuth's two-sum
    even = np.asarray(total).view(np.int64) & 1 == 0
    towards = np.where(error > 0, np.inf, -np.inf)
    return np.where((error != 0) & even, np.nextafter(total, towards), total).astype(np.float32)


def epilogue(
    accs: Sequence[tuple[npt.NDArray[np.int32], Floats]],
    offset: Floats,
    *,
    sums: tuple[npt.NDArray[np.int32], Floats] | None = None,
    residual: tuple[npt.NDArray[np.generic], float] | None = None,
    low: float = -np.inf,
    high: float = np.inf,
    rounding: str = "none",
) -> Floats:
    """Return the epilogue's result.

    Args:
        accs: (corrected sums of shape (..., channels), scale a channel), one for each group of the depth.
        offset: float32 of shape (channels,).
        sums: (sum of lhs codes + its correction, shift a channel) for weights with a zero point.
        residual: (tensor, scale) added last.
        low: lower clamp.
        high: upper clamp.
        rounding: `none`, `nearest` (half to even) or `floor`.
    """
    t = np.broadcast_to(offset, accs[0][0].shape).astype(np.float32)
    for acc, scale in accs:
        t = fma(acc.astype(np.float32), scale, t)
    if sums is not None:
        t = fma(sums[0].astype(np.float32)[..., None], sums[1], t)
    if residual is not None:
        t = fma(residual[0].astype(np.float32), np.float32(residual[1]), t)
    if rounding != "none":
        t = np.floor(t) if rounding == "floor" else np.rint(t)
    return np.clip(t, np.float32(low), np.float32(high)).astype(np.float32)
