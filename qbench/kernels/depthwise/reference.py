"""The law of depthwise convolutions: acc[c] = sum over taps of a[c] * w[c], then the epilogue of convolutions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import Codes, Window, windows


def depthwise_s32(lhs: Codes, rhs: Codes, window: Window, *, pad_code: int = 0) -> npt.NDArray[np.int32]:
    """Return int32 (images, out_h, out_w, channels) of NHWC lhs codes and rhs codes (channels, kh, kw)."""
    channels, taps = len(rhs), rhs[0].size
    seen = windows(lhs, window, pad_code).astype(np.int64)
    seen = seen.reshape(*seen.shape[:3], taps, channels)
    weights = rhs.reshape(channels, taps).astype(np.int64)
    sums: npt.NDArray[np.int32] = np.einsum("nyxtc,ct->nyxc", seen, weights).astype(np.int32)
    return sums
