"""What `bind` makes of per-channel numbers and tables so that tiles may read whole vectors and whole tiles of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from qbench.kernels.layout import Offsets, aligned

if TYPE_CHECKING:
    from qbench.kernels.conv.params import ChannelParams
    from qbench.kernels.tiles.operands import PackedWeights

HIGHEST_TILE = 16
INT32_END = 2.0**31
SIGN = 128
"""What a dot instruction of signed bytes takes off each u8 code of the lhs."""


def numbers_of_channels(
    params: ChannelParams, weights: PackedWeights, times: int, width: int
) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays that a tile loads a vector per channel of; sums are `times` too large there.

    What each group has for itself stands in the order of the panels, `width` channels each: (panels, groups, width).
    """
    count, fixed = weights.channels, params.fixed
    owed = 0 if weights.code_sums is None else np.int32(SIGN) * weights.code_sums
    found = {"correction": padded((params.correction + owed) * np.int32(times), count, np.int32, width)}
    if fixed is not None:
        zero = np.full(fixed.exponent.shape, fixed.zero_point, np.int32)
        names = {"scale": fixed.multiplier, "offset": zero, "shift": fixed.exponent}
        return found | {name: padded(values, count, np.int32, width) for name, values in names.items()}
    shift = params.offset if params.shift is None else params.shift
    floats = {"scale": params.scale / np.float32(times), "offset": params.offset, "shift": shift}
    return found | {name: padded(values, count, np.float32, width) for name, values in floats.items()}


def padded(
    values: npt.NDArray[np.generic], channels: int, dtype: type[np.generic], width: int
) -> npt.NDArray[np.generic]:
    """Return (groups, channels) or (channels,) numbers as (panels, groups, width), flat, zeros behind the last."""
    rows = np.atleast_2d(values)
    full = np.zeros((len(rows), channels), dtype)
    full[:, : rows.shape[1]] = rows
    found = aligned(full.nbytes).view(dtype)
    found[:] = full.reshape(len(rows), -1, width).swapaxes(0, 1).ravel()
    return found


def is_brief(values: npt.NDArray[np.generic]) -> bool:
    """Whether bfloat16 holds every one of these float32 numbers."""
    return not np.any(values.view(np.uint32) & 0xFFFF)


def brief(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
    """Return the bfloat16 numbers, as their bits."""
    found = aligned(values.size * 2).view(np.uint16)
    found[:] = values.view(np.uint32) >> 16
    return found


def at_least(offsets: Offsets) -> Offsets:
    """Return a table that a tile may read to its end: the last row again where there are few."""
    missing = HIGHEST_TILE - len(offsets)
    return np.concatenate([offsets, np.repeat(offsets[-1:], missing)]) if missing > 0 else offsets


def largest(params: ChannelParams, depth: int) -> float:
    """Return a bound of |t| before it is rounded, 0 where that is done in whole numbers."""
    if params.fixed is not None:
        return 0.0
    acc = 255.0 * 128.0 * depth + float(np.abs(params.correction.astype(np.float64)).max(initial=0))
    scale = float(np.atleast_2d(np.abs(params.scale)).sum(axis=0).max(initial=0))
    t = acc * scale + np.abs(params.offset).max(initial=0)
    if params.shift is not None:
        t += (255.0 * depth + abs(params.sum_correction)) * np.abs(params.shift).max(initial=0)
    return float(t + 255.0 * abs(params.residual_scale))
