"""Plain loops for any CPU that Numba knows; one column a panel, weights of any width as bytes.

The order of the epilogue is stated in `qbench.kernels.tiles.tile`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import float32, int32, int64, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from qbench.kernels.jit import inlined, jit
from qbench.kernels.tiles.flags import PLANES


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""

    def codegen(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType()] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32")  # type: ignore[no-untyped-call]
        return builder.call(fma, values)

    return types.float32(types.float32, types.float32, types.float32), codegen


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


@overload(_dot)
def _dot_of(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    return {types.uint8: _dot_bytes, types.uint32: _dot_words, types.float32: _dot_floats}[lhs.dtype]


def _dot_bytes(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    acc, signs = int32(0), np.uint8(0x80 if flags & 128 else 0)
    for k in range(begin, end):
        for i in range(4):
            code = int32(lhs[at + offsets[k] + i] ^ signs)
            acc = int32(acc + code * int32(np.int8(rhs[column + 4 * k + i])))
    return acc


def _dot_words(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    acc, lhs_planes, rhs_planes = int32(0), flags // PLANES // 16, flags // PLANES % 16
    for k in range(begin, end):
        left = (at + offsets[k]) // 4
        if flags & 16:
            right = column // 4 + 2 * k
            both = lhs[left] & rhs[right]
            opposite = both & (lhs[left + 1] ^ rhs[right + 1])
            acc = int32(acc + _popcount(both) - 2 * _popcount(opposite))
        elif rhs_planes:
            for j in range(rhs_planes):
                for i in range(lhs_planes):
                    count = _popcount(lhs[left + i] & rhs[column // 4 + rhs_planes * k + j]) << (i + j)
                    acc = int32(acc - count if j == rhs_planes - 1 else acc + count)
        else:
            acc = int32(acc - 2 * _popcount(lhs[left] ^ rhs[column // 4 + k]))
    return acc


def _dot_floats(lhs: Any, rhs: Any, at: Any, column: Any, offsets: Any, begin: Any, end: Any, flags: Any) -> Any:
    acc = float32(0)
    for k in range(begin, end):
        acc += lhs[(at + offsets[k]) // 4] * rhs[column // 4 + k]
    return acc


def _corrected(acc: Any, correction: Any) -> Any:
    """Return acc + correction; sums of floats have none."""
    raise NotImplementedError("compiled only")


@overload(_corrected)
def _corrected_of(acc: Any, correction: Any) -> Any:
    return _same if isinstance(acc, types.Float) else _plus


def _same(acc: Any, correction: Any) -> Any:
    return acc


def _plus(acc: Any, correction: Any) -> Any:
    return int32(acc + correction)


@jit
def run(
    begin: int, end: int, arrays: Any, scalars: Any, channels: int, k_groups: Any, panel_bytes: int, flags: int
) -> None:
    """Compute rows begin..end of every channel; `k_groups` is (all, those that share a scale)."""
    lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows, k_offsets, correction, scale, offset, shift = arrays
    low, high, residual_scale, sum_correction = scalars
    width, signs = 1 if flags & 32 else 4, np.uint8(0x80 if flags & 128 else 0)
    groups = (k_groups[0] + k_groups[1] - 1) // k_groups[1]
    for m in range(begin, end):
        for n in range(channels):
            t = float32(offset[n])
            acc = _dot(lhs, rhs, lhs_rows[m], n * panel_bytes, k_offsets, 0, 0, flags)
            for k in range(0, k_groups[0], k_groups[1]):
                last, place = min(k + k_groups[1], k_groups[0]), n * groups + k // k_groups[1]
                acc = _dot(lhs, rhs, lhs_rows[m], n * panel_bytes, k_offsets, k, last, flags)
                acc = _corrected(acc, correction[place])
                t = float32(acc) + t if flags & 64 else fma(float32(acc), scale[place], t)  # type: ignore[call-arg]
            cell = out_rows[m] // width + n
            if flags & 8:
                out[cell] = acc
                continue
            if flags & 2:
                total = int32(sum_correction)
                for k in range(k_groups[0]):
                    for i in range(4):
                        total = int32(total + int32(np.uint8(lhs[lhs_rows[m] + k_offsets[k] + i]) ^ signs))
                t = fma(float32(total), shift[n], t)  # type: ignore[call-arg]
            if flags & 1:
                code = float32(residual[residual_rows[m] // residual.itemsize + n])
                t = fma(code, residual_scale, t)  # type: ignore[call-arg]
            if flags & 32:
                t = np.floor(t) if flags & 4 else np.rint(t)
            out[cell] = min(max(t, low), high)


@inlined
def fixed_point(acc: Any, multiplier: Any, exponent: Any) -> Any:
    """Return acc requantized by whole numbers, before the zero point; the law is `qbench.kernels.conv.fixed_point`."""
    right = int64(max(-exponent, 0))
    t = (int64(int32(int64(acc) << int64(max(exponent, 0)))) * int64(multiplier) + (1 << 30)) >> 31
    mask = (1 << right) - 1
    return (t >> right) + int64((t & mask) > (mask >> 1) + int64(t < 0))


@jit
def run_fixed(
    begin: int, end: int, arrays: Any, limits: Any, zero_point: int, channels: int, k_groups: int, panel_bytes: int,
    flags: int,
) -> None:  # fmt: skip
    """Compute u8 codes of rows begin..end of every channel in whole numbers."""
    lhs, rhs, out, lhs_rows, out_rows, k_offsets, correction, multiplier, exponent = arrays
    low, high = limits
    for m in range(begin, end):
        for n in range(channels):
            acc = _dot(lhs, rhs, lhs_rows[m], n * panel_bytes, k_offsets, 0, k_groups, flags)
            t = fixed_point(int32(acc + correction[n]), multiplier[n], exponent[n]) + zero_point
            out[out_rows[m] + n] = np.uint8(min(max(t, low), high))
