"""The law of pooling on NHWC tensors: u8 codes in, u8 codes out, or float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def global_average_u8_u8(a: Bytes, multiplier: float, offset: float, high: int, *, floor: bool) -> Bytes:
    """Return clip(round(float32(sum of codes) * multiplier + offset), 0, high), shape (n, 1, 1, c)."""
    t = a.astype(np.int64).sum(axis=(1, 2), keepdims=True).astype(np.float32) * np.float32(multiplier) + np.float32(
        offset
    )
    codes: npt.NDArray[np.uint8] = np.clip(np.floor(t) if floor else np.rint(t), 0, high).astype(np.uint8)
    return codes


def max_u8_u8(a: Bytes, kernel: int, stride: int, pad: int) -> Bytes:
    """Return the largest code of every square window; padding never wins."""
    padded = np.pad(a, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    codes: npt.NDArray[np.uint8] = seen[:, ::stride, ::stride].max(axis=(-2, -1))
    return codes


def mean_u8_u8(
    a: Bytes, window: tuple[int, int, int], numbers: tuple[np.float32, ...], limits: tuple[np.float32, ...], *,
    include_pad: bool, floor: bool,
) -> Bytes:  # fmt: skip
    """Return the rescaled mean of every square window; `window` is (kernel, stride, pad).

    `numbers` is float32 (zero, multiplier, offset): padding counts as `zero` where it is included, else not at all.
    """
    (kernel, stride, pad), (zero, multiplier, offset) = window, numbers
    around = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    sums, inside = (
        np.lib.stride_tricks.sliding_window_view(np.pad(x.astype(np.int64), around), (kernel, kernel), axis=(1, 2))[
            :, ::stride, ::stride
        ].sum(axis=(-2, -1)).astype(np.float32)
        for x in (a, np.ones_like(a))
    )  # fmt: skip
    count = np.float32(kernel * kernel) if include_pad else inside
    missing = np.float32(kernel * kernel) - inside if include_pad else np.float32(0)
    t = (sums + missing * zero) / count * multiplier + offset
    codes: Bytes = np.clip(np.floor(t) if floor else np.rint(t), limits[0], limits[1]).astype(np.uint8)
    return codes
