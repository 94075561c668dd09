"""The law of convolutions: plain NumPy on codes, NHWC and OHWI. Every variant gives these numbers to the last bit.

With codes a (lhs) and w (rhs), real = scale * (code - zero_point), a window's true sum is
scale_a * scale_w * sum((a - za) * (w - zw)). Kernels compute acc = sum(a * w), exact in int32 for depth <= 65,793 at
255 x 128; zero points are folded into `correction` (whole numbers, exact) and `shift`. Float32 products are compared
within a tolerance, since the order of their sums is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Window:
    """The geometry of a convolution: `pads` is (top, left, bottom, right)."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)

    def out(self, height: int, width: int) -> tuple[int, int]:
        """Return the output (height, width); it is empty or negative where the window does not fit."""
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]
        return (
            (height + self.pads[0] + self.pads[2] - spans[0]) // self.strides[0] + 1,
            (width + self.pads[1] + self.pads[3] - spans[1]) // self.strides[1] + 1,
        )


def windows(lhs: npt.NDArray[np.generic], window: Window, pad_code: int | float) -> npt.NDArray[np.generic]:
    """Return every output pixel's depth, (images, out_h, out_w, kh * kw * channels), in (kh, kw, channel) order."""
    top, left, bottom, right = window.pads
    padded = np.pad(lhs, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=pad_code)
    height, width = window.out(lhs.shape[1], lhs.shape[2])
    taps = []
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            y, x = row * window.dilations[0], column * window.dilations[1]
            seen = padded[:, y :: window.strides[0], x :: window.strides[1]]
            taps.append(seen[:, :height, :width])
    return np.concatenate(taps, axis=-1)


def conv_f32(lhs: Floats, rhs: Floats, window: Window) -> Floats:
    """Return the float32 convolution, summed in float64."""
    depth = windows(lhs, window, 0.0).astype(np.float64)
    return (depth @ rhs.reshape(len(rhs), -1).T.astype(np.float64)).astype(np.float32)


def fma(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
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
    accs: Sequence[tuple[npt.NDArray[np.int32] | Floats, Floats]],
    offset: Floats,
    *,
    sums: tuple[npt.NDArray[np.int32], Floats] | None = None,
    residual: tuple[npt.NDArray[np.generic], float] | None = None,
    low: float = -np.inf,
    high: float = np.inf,
    rounding: str = "none",
) -> Floats:
    """Return the epilogue's result in the order of `kernels.tiles.tile`.

    Args:
        accs: (corrected sums of shape (..., channels), scale per channel), one for each group of the depth.
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
        t = fma(residual[0].astype(np.float32), np.asarray(residual[1], np.float32), t)
    if rounding != "none":
        t = np.floor(t) if rounding == "floor" else np.rint(t)
    return np.clip(t, np.float32(low), np.float32(high)).astype(np.float32)
