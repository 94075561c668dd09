"""Products of bytes whose sums have fewer than 32 bits: a simulation, in plain loops, exact in every addition.

The sum begins at 0, and (code - zero) * weight is added in the order of the depth: rows and columns of the window, then
channels. After each addition it wraps or saturates. Where scales are grouped every group has a sum of its own. Bias and
scale follow in float32 as in `tiles.portable`; with 32 bits the results are those of every other kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.jit import jit
from qbench.kernels.tiles.portable import fma


@jit
def _add(acc: Any, code: Any, row: Any, bits: Any, saturates: Any) -> None:
    """Add code * row to the sums of all channels, each as a signed number of `bits` (at most 31) holds it."""
    high, spare = int32((1 << (bits - 1)) - 1), int32(32 - bits)
    low = int32(-high - 1)
    if saturates:
        for n in range(acc.size):
            acc[n] = min(max(int32(acc[n] + code * row[n]), low), high)
    else:
        for n in range(acc.size):
            acc[n] = int32(int32(acc[n] + code * row[n]) << spare) >> spare


@jit
def run_narrow(
    begin: int, end: int, arrays: Any, weights: Any, room: Any, scalars: Any, span: int, flags: int, narrow: Any
) -> None:
    """Compute rows begin..end of every channel.

    Args:
        begin: first row.
        end: row after the last.
        arrays: as `portable.run` takes them, in its order, without rhs and correction.
        weights: int32 (depth, channels).
        room: int32 and float32 (rows, channels) for the sums of a row: the part's first one is used.
        scalars: as `portable.run`.
        span: k-groups of four numbers that share a scale.
        flags: as `portable.run`.
        narrow: (bits, saturates, zero point of the lhs).
    """
    lhs, out, residual, lhs_rows, out_rows, residual_rows, k_offsets, scale, offset, shift = arrays
    low, high, residual_scale, sum_correction = scalars
    bits, saturates, zero = narrow
    channels, k_groups = weights.shape[1], weights.shape[0] // 4
    acc, results = room[0][begin], room[1][begin]
    width, groups = 1 if flags & 32 else 4, (k_groups + span - 1) // span
    for m in range(begin, end):
        for n in range(channels):
            results[n] = offset[n]
        total = int32(sum_correction)
        for group in range(groups):
            for n in range(channels):
                acc[n] = 0
            for k in range(group * span, min((group + 1) * span, k_groups)):
                for i in range(4):
                    code = int32(lhs[lhs_rows[m] + k_offsets[k] + i])
                    total = int32(total + code)
                    if code != zero:
                        _add(acc, int32(code - zero), weights[4 * k + i], bits, saturates)
            for n in range(channels):
                results[n] = fma(float32(acc[n]), scale[n * groups + group], results[n])  # type: ignore[call-arg]
        for n in range(channels):
            t = results[n]
            if flags & 2:
                t = fma(float32(total), shift[n], t)  # type: ignore[call-arg]
            if flags & 1:
                beside = float32(residual[residual_rows[m] // residual.itemsize + n])
                t = fma(beside, residual_scale, t)  # type: ignore[call-arg]
            if flags & 32:
                t = np.floor(t) if flags & 4 else np.rint(t)
            out[out_rows[m] // width + n] = min(max(t, low), high)
