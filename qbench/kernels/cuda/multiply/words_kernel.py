"""The kernels of plain integer units: 64 x 64 tiles of 32-bit words, multiplied as bytes, by dp4a, or as bits.

Every product and every shape runs here, ternary by ternary only here; the others are measured against it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language.arguments import SIGNATURE
from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shared import div, mod, shared_base
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply.epilogue import finish, take_params
from qbench.kernels.cuda.multiply.fragments import as_sum, zeros
from qbench.kernels.cuda.multiply.products import PRODUCTS, Product
from qbench.kernels.epilogue import parse_epilogue

SIDE, WORDS = 16, 16
"""Threads down and across a tile, words of depth a stage; a thread computes 4 x 4 outputs."""

CELLS = 16
_SUMS = Product("words", "u8s8")
"""For the epilogue: sums are what they are."""


def _bytes(ops: Any, acc: Any, a: Any, b: Any) -> Any:
    """Return acc + the products of four u8 by four s8, one by one."""
    for i in range(4):
        left = ops.binary("and", ops.binary("ushr", a, 8 * i), 255)
        right = ops.binary("shr", ops.binary("shl", b, 24 - 8 * i), 24)
        acc = ops.binary("add", acc, ops.binary("mul", left, right))
    return acc


def _dp4a(ops: Any, acc: Any, a: Any, b: Any) -> Any:
    """Return acc + the products of four u8 by four s8, in one instruction."""
    return ops.dot4(a, b, acc)


def _bits(ops: Any, acc: Any, a: Any, b: Any) -> Any:
    """Return acc + popcount(a & b): unlike popcount(a ^ b), words of padding add nothing."""
    return ops.binary("add", acc, ops.popcount(ops.binary("and", a, b)))


def _trits(ops: Any, acc: Any, a: tuple[Any, Any], b: tuple[Any, Any]) -> Any:
    """Return acc + products of 32 ternary codes: words of non-zero and of negative codes."""
    both = ops.binary("and", a[0], b[0])
    opposite = ops.binary("and", both, ops.binary("xor", a[1], b[1]))
    return ops.binary("sub", ops.binary("add", acc, ops.popcount(both)), ops.binary("shl", ops.popcount(opposite), 1))


def _dot_of(product: str, how: str) -> Any:
    """Return the block (acc, words of 4 lhs rows, words of 4 rhs columns) -> acc."""
    one = _bits if product == "b1_b1" else _dp4a if how == "dp4a" else _bytes

    def dot_macro(ops: Any, acc: list[Any], lhs: list[Any], rhs: list[Any]) -> list[Any]:
        return [one(ops, acc[4 * i + j], lhs[i], rhs[j]) for i in range(4) for j in range(4)]

    return block(dot_macro, "i32", CELLS)


def _dot_pairs_macro(
    ops: Any, acc: list[Any], lhs: list[Any], rhs: list[Any], lhs_signs: list[Any], rhs_signs: list[Any]
) -> list[Any]:
    """Return acc + ternary products of 4 lhs rows and 4 rhs columns."""
    pairs = [((lhs[i], lhs_signs[i]), (rhs[j], rhs_signs[j])) for i in range(4) for j in range(4)]
    return [_trits(ops, acc[cell], *pair) for cell, pair in enumerate(pairs)]


dot_pairs = block(_dot_pairs_macro, "i32", CELLS)


def _add_group_macro(ops: Any, total: list[Any], acc: list[Any], scale: Any, index: Any) -> list[Any]:
    scales = [ops.load(scale, ops.binary("add", index, j), "f32") for j in range(4)]
    return [ops.fma(as_sum(ops, _SUMS, acc[cell]), scales[cell % 4], total[cell]) for cell in range(CELLS)]


def _start_macro(ops: Any, offset: Any, column: Any) -> list[Any]:
    """Return totals that begin at each column's offset."""
    return [ops.load(offset, ops.binary("add", column, cell % 4), "f32") for cell in range(CELLS)]


def _put_macro(ops: Any, acc: list[Any], address: Any) -> None:
    for i in range(4):
        ops.shared_store(ops.binary("add", address, 16 * i), acc[4 * i : 4 * i + 4])


def _put_floats_macro(ops: Any, acc: list[Any], address: Any) -> None:
    _put_macro(ops, [ops.as_bits(v) for v in acc], address)


def _load_word_macro(ops: Any, pointer: Any, index: Any) -> Any:
    return ops.load_words(pointer, index, 1)[0]


add_group = block(_add_group_macro, "f32", CELLS)
put, put_floats = block(_put_macro), block(_put_floats_macro)
load_word = block(_load_word_macro, "i32")
zero_acc, start_total = zeros(CELLS, is_float=False), block(_start_macro, "f32", CELLS)


@cache
def words_kernel(product: str, words: str, how: str, *, group_size: int = 0, side: int = SIDE) -> Kernel:
    """Return the kernel; `how` is `plain` or `dp4a`, `group_size` 0 or a multiple of 4 codes.

    A block has `side` x `side` threads: fewer than `SIDE` in the simulator, whose threads are dear.
    """
    ending = parse_epilogue(words)
    kind = PRODUCTS[product] if product == "b1_b1" else _SUMS
    dot, take, finish_rows = _dot_of(product, how), take_params(kind, ending), finish(kind, ending, 4)
    pairs = product == "t2_t2"
    step = 2 if pairs else 1
    grouped, group_words = group_size > 0, max(1, group_size // 4)
    tile, pitch, threads = 4 * side, WORDS + 1, side * side

    def run(arrays: Any, limits: Any, sizes: Any) -> None:
        (lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows, k_offsets) = arrays[:8]
        params, sums = arrays[8:12], arrays[12]
        rows, channels, stored, k_stages, sum_correction = sizes
        a = cuda.shared.array((tile, pitch), types.int32)
        b = cuda.shared.array((tile, pitch), types.int32)
        slots = shared_base(cuda.shared.array(0, types.uint8))
        thread = cuda.threadIdx.x
        down, first = thread // side, thread % side * 4
        tiles_n = channels // tile
        m, n = div(cuda.blockIdx.x, tiles_n) * tile, mod(cuda.blockIdx.x, tiles_n) * tile
        row_bytes = k_stages * WORDS * 4
        acc, total = zero_acc(), start_total(params[2], n + first)
        for stage in range(k_stages):
            cuda.syncthreads()
            for index in range(thread, tile * WORDS, threads):
                row, word = index // WORDS, index % WORDS
                k = stage * WORDS + word
                a[row, word] = load_word(lhs, lhs_rows[min(m + row, rows - 1)] + k_offsets[k])
                b[row, word] = load_word(rhs, (n + row) * row_bytes + 4 * k)
            cuda.syncthreads()
            for word in range(0, WORDS, step):
                left = (a[down, word], a[down + side, word], a[down + 2 * side, word], a[down + 3 * side, word])
                right = (b[first, word], b[first + 1, word], b[first + 2, word], b[first + 3, word])
                if pairs:
                    acc = dot_pairs(
                        acc, left, right,
                        (a[down, word + 1], a[down + side, word + 1], a[down + 2 * side, word + 1],
                         a[down + 3 * side, word + 1]),
                        (b[first, word + 1], b[first + 1, word + 1], b[first + 2, word + 1], b[first + 3, word + 1]),
                    )  # fmt: skip
                else:
                    acc = dot(acc, left, right)
                if grouped:
                    done = stage * WORDS + word + 1
                    if mod(done, group_words) == 0 or done == k_stages * WORDS:
                        index = div(done - 1, group_words) * channels + n + first
                        total = add_group(total, acc, params[1], index)
                        acc = zero_acc()
        own = slots + thread * 4 * CELLS
        if grouped:
            put_floats(total, own)
        else:
            put(acc, own)
        if n + first < stored:
            finish_rows(
                own, 16, (out, out_rows), (residual, residual_rows), take(params, n + first), n + first, m + down, side,
                (rows, sum_correction), sums, limits,
            )  # fmt: skip

    return Kernel(f"{how}_{product}", run, SIGNATURE, threads, threads * 4 * CELLS + 1024, needs=61)
