"""TFLite's requantization by whole numbers: the law of the epilogue `+fixed`, and how a scale becomes its numbers.

A scale is multiplier * 2 ** (exponent - 31), the multiplier an int32 of 2 ** 30 to 2 ** 31 - 1. The rounding is that of
`MultiplyByQuantizedMultiplier` in tensorflow/lite/kernels/internal/common.h as it is built by default
(TFLITE_SINGLE_ROUNDING 0), which is gemmlowp's: twice, first half up, then half away from zero. XNNPACK, LiteRT's
delegate, rounds once instead, in float32: the epilogue without `+fixed`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
LEAST_EXPONENT, MOST_EXPONENT = -31, 30


@dataclass(frozen=True, slots=True, eq=False)
class FixedPoint:
    """A multiplier and an exponent for each output channel, int32 of shape (channels,), and the zero point added last.

    A shifted sum, (acc + correction) * 2 ** exponent, and the result with its zero point must stay within int32.
    """

    multiplier: Ints
    exponent: Ints
    zero_point: int = 0

    def __post_init__(self) -> None:
        if self.multiplier.shape != self.exponent.shape or self.multiplier.dtype != np.int32:
            raise ValueError(f"expected int32 multipliers of shape {self.exponent.shape}, got {self.multiplier.shape}")
        if self.multiplier.min(initial=0) < 0:
            raise ValueError(f"expected multipliers of 0 or more, got {self.multiplier.min()}")
        low, high = self.exponent.min(initial=0), self.exponent.max(initial=0)
        if low < LEAST_EXPONENT or high > MOST_EXPONENT:
            raise ValueError(f"expected exponents in {LEAST_EXPONENT}..{MOST_EXPONENT}, got {low}..{high}")


def fixed_point(scale: npt.NDArray[np.floating], zero_point: int = 0) -> FixedPoint:
    """Return the fixed-point form of positive scales, as TFLite's `QuantizeMultiplier` does.

    Args:
        scale: (channels,), scale_lhs * scale_rhs / scale_out.
        zero_point: of the output's codes.
    """
    fraction, exponent = np.frexp(scale.astype(np.float64))
    multiplier = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)
    full = multiplier == 1 << 31
    multiplier, exponent = np.where(full, multiplier // 2, multiplier), exponent + full
    tiny, huge = exponent < LEAST_EXPONENT, exponent > MOST_EXPONENT
    multiplier = np.where(tiny, 0, np.where(huge, (1 << 31) - 1, multiplier))
    exponent = np.where(tiny, 0, np.minimum(exponent, MOST_EXPONENT))
    return FixedPoint(multiplier.astype(np.int32), exponent.astype(np.int32), zero_point)


def requantize_fixed(acc: Ints, fixed: FixedPoint, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Return u8 codes of corrected sums (..., channels): multiplied, rounded twice, moved by the zero, clamped."""
    left, right = np.maximum(fixed.exponent, 0), np.maximum(-fixed.exponent, 0).astype(np.int64)
    shifted = (acc.astype(np.int64) << left).astype(np.int32)
    t = (shifted.astype(np.int64) * fixed.multiplier + (1 << 30)) >> 31
    mask = (np.int64(1) << right) - 1
    t = (t >> right) + ((t & mask) > (mask >> 1) + (t < 0))
    codes: npt.NDArray[np.uint8] = np.clip(t + fixed.zero_point, low, high).astype(np.uint8)
    return codes
