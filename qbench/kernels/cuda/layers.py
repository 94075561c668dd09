"""What stands between products on a device: quantize, pack, row sums, addition, tables, pooling, flattening.

One thread a pixel, a word or an output number. The laws are those of the families `quantize`, `pack`, `elementwise` and
`pool`: floats are rounded after every operation, in the order of the references there. Whole numbers are given as one
tuple, `sizes`, whose order each kernel's first line states.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shared import div, mod
from qbench.kernels.cuda.machines.machine import Kernel

THREADS = 128
_BYTES, _INTS, _FLOATS = (types.CPointer(kind) for kind in (types.uint8, types.int32, types.float32))


def _ints(count: int) -> Any:
    return types.UniTuple(types.int32, count)


def _numbers(count: int) -> Any:
    return types.UniTuple(types.float32, count)


def _affine(ops: Any, value: Any, scale: Any, offset: Any) -> Any:
    return ops.float_binary("add", ops.float_binary("mul", value, scale), offset)


def _code(ops: Any, t: Any, low: Any, high: Any, *, floor: bool) -> Any:
    whole = ops.round_whole(t, floor=floor)
    return ops.to_int(ops.float_binary("min", ops.float_binary("max", whole, low), high))


def affine_code(*, floor: bool) -> Any:
    """Return the block (float, scale, offset, low, high) -> clip(round(float * scale + offset), low, high)."""

    def affine_code_macro(ops: Any, value: Any, scale: Any, offset: Any, low: Any, high: Any) -> Any:
        return _code(ops, _affine(ops, value, scale, offset), low, high, floor=floor)

    return block(affine_code_macro, "i32")


def sum_code(*, floor: bool) -> Any:
    """Return the block (a, b, scale of a, scale of b, offset, low, high) -> clip(round(a * sa + b * sb + offset))."""

    def sum_code_macro(ops: Any, a: Any, b: Any, scale_a: Any, scale_b: Any, offset: Any, low: Any, high: Any) -> Any:
        left = ops.float_binary("mul", ops.to_float(a), scale_a)
        both = ops.float_binary("add", left, ops.float_binary("mul", ops.to_float(b), scale_b))
        return _code(ops, ops.float_binary("add", both, offset), low, high, floor=floor)

    return block(sum_code_macro, "i32")


def _popcount_macro(ops: Any, pointer: Any, index: Any) -> Any:
    return ops.popcount(ops.load_words(pointer, index, 1)[0])


def _byte_macro(ops: Any, pointer: Any, index: Any) -> Any:
    return ops.load(pointer, index, "u8")


def _float_macro(ops: Any, value: Any) -> Any:
    return ops.to_float(value)


def _put_macro(ops: Any, pointer: Any, index: Any, word: Any) -> None:
    ops.store_words(pointer, index, [word])


popcount_at, byte_at = block(_popcount_macro, "i32"), block(_byte_macro, "i32")
as_float, put_word = block(_float_macro, "f32"), block(_put_macro)


@cache
def row_sums_kernel(*, bits: bool) -> Kernel:
    """Return the kernel of each row's sum of codes, or number of set bits: (lhs, rows, taps, sums, sizes)."""

    def run(lhs: Any, lhs_rows: Any, taps: Any, sums: Any, sizes: Any) -> None:
        rows, count, items = sizes
        m = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if m < rows:
            total = 0
            for tap in range(count):
                at = lhs_rows[m] + taps[tap]
                for i in range(items):
                    total += popcount_at(lhs, at + 4 * i) if bits else byte_at(lhs, at + i)
            sums[m] = total

    signature = types.void(_BYTES, _INTS, _INTS, _INTS, _ints(3))
    return Kernel("row_sums_b1" if bits else "row_sums_u8", run, signature, THREADS)


@cache
def quantize_kernel(*, floor: bool) -> Kernel:
    """Return the kernel from float32 images (n, c, h, w) to u8 codes NHWC: (x, out, sizes, numbers)."""
    code = affine_code(floor=floor)

    def run(x: Any, out: Any, sizes: Any, numbers: Any) -> None:
        pixels, channels, height, width, pitch, plane_pitch, words, corner = sizes
        scale, offset, high = numbers
        pixel = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if pixel < pixels:
            area = height * width
            image, place = div(pixel, area), mod(pixel, area)
            to = (image * plane_pitch + div(place, width) * pitch + mod(place, width) + corner) * words
            for c in range(channels):
                out[to + c] = code(x[(image * channels + c) * area + place], scale, offset, 0.0, high)

    signature = types.void(_FLOATS, _BYTES, _ints(8), _numbers(3))
    return Kernel("quantize_f32_u8", run, signature, THREADS)


@cache
def pack_kernel(*, ternary: bool) -> Kernel:
    """Return the kernel from codes 0, 1 (0, 1, 2) to words of 32 channels: (codes, out, sizes)."""

    def run(codes: Any, out: Any, sizes: Any) -> None:
        count, channels, words, pitch = sizes
        index = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if index < count:
            pixel, first = div(index, words), mod(index, words) * 32
            one, two = 0, 0
            for i in range(min(32, channels - first)):
                value = byte_at(codes, pixel * pitch + first + i)
                if ternary:
                    one |= (1 if value != 1 else 0) << i
                    two |= (1 if value == 0 else 0) << i
                else:
                    one |= (value & 1) << i
            if ternary:
                put_word(out, 8 * index, one)
                put_word(out, 8 * index + 4, two)
            else:
                put_word(out, 4 * index, one)

    return Kernel("pack_u8_t2" if ternary else "pack_u8_b1", run, types.void(_BYTES, _BYTES, _ints(4)), THREADS)


@cache
def add_kernel(*, floor: bool) -> Kernel:
    """Return the kernel of rescaled sums: (a, b, out, rows of a, b and out, sizes, numbers); rows are byte offsets."""
    code = sum_code(floor=floor)

    def run(a: Any, b: Any, out: Any, tables: Any, sizes: Any, numbers: Any) -> None:
        count, channels = sizes
        scale_a, scale_b, offset, low, high = numbers
        index = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if index < count:
            pixel, c = div(index, channels), mod(index, channels)
            left, right = byte_at(a, tables[0][pixel] + c), byte_at(b, tables[1][pixel] + c)
            out[tables[2][pixel] + c] = code(left, right, scale_a, scale_b, offset, low, high)

    signature = types.void(_BYTES, _BYTES, _BYTES, types.UniTuple(_INTS, 3), _ints(2), _numbers(5))
    return Kernel("add_u8_u8_u8", run, signature, THREADS)


@cache
def table_kernel() -> Kernel:
    """Return the kernel of out = table[a]: (a, out, table, rows of a and out, sizes)."""

    def run(a: Any, out: Any, table: Any, tables: Any, sizes: Any) -> None:
        count, channels = sizes
        index = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if index < count:
            pixel, c = div(index, channels), mod(index, channels)
            out[tables[1][pixel] + c] = byte_at(table, byte_at(a, tables[0][pixel] + c))

    signature = types.void(_BYTES, _BYTES, _BYTES, types.UniTuple(_INTS, 2), _ints(2))
    return Kernel("table_u8_u8", run, signature, THREADS)


@cache
def average_kernel(*, floor: bool) -> Kernel:
    """Return the kernel of a channel's rescaled mean over an image: (a, out, sizes, numbers)."""
    code = affine_code(floor=floor)

    def run(a: Any, out: Any, sizes: Any, numbers: Any) -> None:
        images, channels, height, width, pitch, plane_pitch, words, corner, out_words = sizes
        scale, offset, high = numbers
        index = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if index < images * channels:
            image, c = div(index, channels), mod(index, channels)
            total = 0
            for y in range(height):
                for x in range(width):
                    total += byte_at(a, (image * plane_pitch + y * pitch + x + corner) * words + c)
            out[image * out_words + c] = code(as_float(total), scale, offset, 0.0, high)

    return Kernel("global_average_u8_u8", run, types.void(_BYTES, _BYTES, _ints(9), _numbers(3)), THREADS)


@cache
def max_pool_kernel(*, floor: bool) -> Kernel:
    """Return the kernel of windows' rescaled maxima: (a, out, rows of out, sizes, numbers); padding is not read."""
    code = affine_code(floor=floor)

    def run(a: Any, out: Any, rows: Any, sizes: Any, window: Any, numbers: Any) -> None:
        count, channels, height, width, out_height, out_width, pitch, plane_pitch, words, corner = sizes
        kernel_y, kernel_x, step_y, step_x, pad_y, pad_x = window
        scale, offset, low, high = numbers
        index = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
        if index < count:
            pixel, c = div(index, channels), mod(index, channels)
            area = out_height * out_width
            image, place = div(pixel, area), mod(pixel, area)
            top, left = div(place, out_width) * step_y - pad_y, mod(place, out_width) * step_x - pad_x
            best = 0
            for y in range(max(top, 0), min(top + kernel_y, height)):
                for x in range(max(left, 0), min(left + kernel_x, width)):
                    best = max(best, byte_at(a, (image * plane_pitch + y * pitch + x + corner) * words + c))
            out[rows[pixel] + c] = code(as_float(best), scale, offset, low, high)

    signature = types.void(_BYTES, _BYTES, _INTS, _ints(10), _ints(6), _numbers(4))
    return Kernel("max_pool_u8_u8", run, signature, THREADS)
