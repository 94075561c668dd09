"""Plain loops with the arguments of a tile's driver, for any CPU that Numba knows; one column a panel.

The order of the epilogue is stated in `qbench.kernels.tiles.tile`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import float32, int32, int64, types
from numba.extending import overload

from qbench.kernels.jit import inlined, jit
from qbench.kernels.tiles.driver import Kernel

FLAGS = {"residual": 1, "sum": 2, "floor": 4, "s32": 8, "trits": 16, "rounded": 32, "float": 64}


@inlined
def _popcount(word: Any) -> Any:
    """Return the number of set bits of a 32-bit word."""
    word = int64(word)
    word = word - ((word >> 1) & 0x55555555)
    word = (word & 0x33333333) + ((word >> 2) & 0x33333333)
    return int32((((word + (word >> 4)) & 0x0F0F0F0F) * 0x01010101 & 0xFFFFFFFF) >> 24)


def _dot(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    """Return the accumulator over k-groups begin..end; the lhs array's dtype tells the product."""
    raise NotImplementedError("compiled only")


@overload(_dot, inline="always")
def _dot_of(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    return {types.uint8: _dot_bytes, types.uint32: _dot_words, types.float32: _dot_floats}[lhs.dtype]


def _dot_bytes(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    acc = int32(0)
    for k in range(begin, end):
        for i in range(4):
            acc = int32(acc + int32(lhs[at + offsets[k] + i]) * int32(np.int8(rhs[column + 4 * k + i])))
    return acc


def _dot_words(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    acc = int32(0)
    for k in range(begin, end):
        left = (at + offsets[k]) // 4
        if flags & 16:
            right = column // 4 + 2 * k
            both = lhs[left] & rhs[right]
            opposite = both & (lhs[left + 1] ^ rhs[right + 1])
            acc = int32(acc + _popcount(both) - 2 * _popcount(opposite))
        else:
            acc = int32(acc - 2 * _popcount(lhs[left] ^ rhs[column // 4 + k]))
    return acc


def _dot_floats(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    acc = float32(0)
    for k in range(begin, end):
        acc += lhs[(at + offsets[k]) // 4] * rhs[column // 4 + k]
    return acc


@jit
def _run(
    arrays: Any,
    scalars: Any,
    channels: int,
    k_groups: int,
    k_groups_a_scale: int,
    panel_bytes: int,
    m_begin: int,
    m_end: int,
    flags: int,
    width: int,
) -> None:
    """Compute rows m_begin..m_end of every channel."""
    lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows, k_offsets, correction, scale, offset, shift, _ = arrays
    low, high, residual_scale, sum_correction = scalars
    for m in range(m_begin, m_end):
        for n in range(channels):
            t = float32(0)
            acc = int32(0)
            for k in range(0, k_groups, k_groups_a_scale):
                end = min(k + k_groups_a_scale, k_groups)
                dot = _dot(lhs, rhs, lhs_rows[m], n * panel_bytes, k_offsets, k, end, flags)
                if flags & 64:
                    t = float32(dot)
                else:
                    place = k // k_groups_a_scale * channels + n
                    acc = int32(int32(dot) + correction[place])
                    t += float32(acc) * scale[place]
            cell = out_rows[m] // width + n
            if flags & 8:
                out[cell] = acc
                continue
            if flags & 2:
                total = int32(sum_correction)
                for k in range(k_groups):
                    for i in range(4):
                        total = int32(total + int32(lhs[lhs_rows[m] + k_offsets[k] + i]))
                t += float32(total) * shift[n]
            if flags & 1:
                t += float32(residual[residual_rows[m] // width + n]) * residual_scale
            t += offset[n]
            if flags & 32:
                t = np.floor(t) if flags & 4 else np.rint(t)
            out[cell] = min(max(t, low), high)


@cache
def portable(product: str, epilogue: str) -> Kernel:
    """Return `run` with the signature of `driver.tiled`'s for product `u8_s8`, `b1_b1`, `t2_t2` or `f32_f32`."""
    kind, *words = epilogue.split("+")
    flags = sum(FLAGS[word] for word in words if word in FLAGS)
    flags |= FLAGS["s32"] if kind == "s32" else 0
    flags |= FLAGS["rounded"] if kind == "u8" else 0
    flags |= FLAGS["trits"] if product == "t2_t2" else 0
    flags |= FLAGS["float"] if product == "f32_f32" else 0
    width = 1 if kind == "u8" else 4

    def run(*arguments: Any) -> None:
        _run(*arguments, flags, width)

    return run
