"""Loops of nothing but matrix instructions, or nothing but reading: what this device can do. The runner owns the clock.

Operands are pseudo-random and lie in shared memory; sums are written, so that nothing can be left out.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language.block import block
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shapes import WARP, TileShape
from qbench.kernels.cuda.language.shared import SHARED_MARGIN, shared_base
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import fragments as multiply
from qbench.kernels.cuda.multiply import hopper
from qbench.kernels.cuda.multiply.epilogue import lay_down
from qbench.kernels.cuda.multiply.hopper_kernel import hopper_shape
from qbench.kernels.cuda.multiply.products import PRODUCTS

_INTS, _BYTES = types.CPointer(types.int32), types.CPointer(types.uint8)
SIGNATURE = types.void(_INTS, types.int32)
LOADS = 8
"""Loads of 16 bytes that a thread has under way."""


def _put_macro(ops: Any, address: Any, word: Any) -> None:
    ops.shared_store(address, [word])


def _get_macro(ops: Any, address: Any) -> Any:
    return ops.shared_load(address, 1)[0]


def _sum_macro(ops: Any, total: Any, pointer: Any, index: Any, step: Any) -> Any:
    for i in range(LOADS):
        at = ops.binary("add", index, ops.binary("mul", step, i))
        for word in ops.stream_words(pointer, at):
            total = ops.binary("xor", total, word)
    return total


put, get, sum_words = block(_put_macro), block(_get_macro, "i32"), block(_sum_macro, "i32")


def operations(kind: str, product: str, loops: int) -> int:
    """Return the arithmetic operations of a block of `unit_kernel` in `loops` turns, two per multiply-add."""
    shape = _shape(kind, product)
    codes = PRODUCTS[product].codes_a_step * (shape.depth_bytes // 32)
    return 2 * loops * shape.rows * shape.columns * codes


def _shape(kind: str, product: str) -> TileShape:
    if kind == "wgmma":
        return hopper_shape(2, 256, 4)
    return TileShape(2, 2, 4, 8, 64, 1)


@cache
def unit_kernel(kind: str, product: str) -> Kernel:
    """Return the loop of `mma` or `wgmma` products, (out, loops): each block multiplies one stage again and again."""
    facts, shape = PRODUCTS[product], _shape(kind, product)
    lhs_bytes, depth, threads = shape.rows * shape.depth_bytes, shape.depth_bytes, shape.threads
    stage_words, patch_bytes = shape.stage_bytes(1) // 4, shape.mi * 16 * shape.patch_words * 4
    zeros = multiply.zeros(shape.accumulators, is_float=facts.is_float)
    wide = kind == "wgmma"
    products = multiply.multiply(facts, shape) if not wide else hopper.start_products(facts.mma, shape.columns)
    finished = hopper.wait_products(shape.columns, 0)
    lhs_lane = multiply.lane_address(is_lhs=True, row_bytes=depth)
    rhs_lane = multiply.lane_address(is_lhs=False, row_bytes=depth)
    down = lay_down(shape.mi, shape.nj, shape.patch_words, is_float=facts.is_float)

    def run_wide(out: Any, loops: Any) -> None:
        thread = cuda.threadIdx.x
        base = shared_base(cuda.shared.array(0, types.uint8))
        for word in range(thread, stage_words, threads):
            put(base + 4 * word, (word * 747796405 + 1) ^ (word << 13))
        cuda.syncthreads()
        acc = zeros()
        lhs = base + thread // 128 * 64 * depth
        for _ in range(loops):
            acc = products(acc, lhs, base + lhs_bytes)
        acc = finished(acc)
        cuda.syncthreads()
        patch = base + thread // WARP * patch_bytes
        down(acc, patch, thread % WARP)
        out[cuda.blockIdx.x * threads + thread] = get(base + 4 * thread)

    def run_narrow(out: Any, loops: Any) -> None:
        thread = cuda.threadIdx.x
        base = shared_base(cuda.shared.array(0, types.uint8))
        for word in range(thread, stage_words, threads):
            put(base + 4 * word, (word * 747796405 + 1) ^ (word << 13))
        cuda.syncthreads()
        acc = zeros()
        lhs, rhs = lhs_lane(base, thread % WARP), rhs_lane(base + lhs_bytes, thread % WARP)
        for _ in range(loops):
            acc = products(acc, lhs, rhs)
        cuda.syncthreads()
        patch = base + thread // WARP * patch_bytes
        down(acc, patch, thread % WARP)
        out[cuda.blockIdx.x * threads + thread] = get(base + 4 * thread)

    shared = max(shape.shared_bytes(1), threads // WARP * patch_bytes) + SHARED_MARGIN
    function = run_wide if wide else run_narrow
    needs = 90 if wide else 80
    return Kernel(f"ceiling_{kind}_{product}", function, SIGNATURE, threads, shared, needs, arch_specific=wide)


@cache
def read_kernel() -> Kernel:
    """Return the loop that reads a buffer once, (data, out, bytes per block): a block's bytes lie side by side."""
    threads = 256
    turn = threads * 16

    def run(data: Any, out: Any, size: Any) -> None:
        thread = cuda.threadIdx.x
        total = 0
        for at in range(0, size, turn * LOADS):
            total = sum_words(total, data, cuda.blockIdx.x * size + at + thread * 16, turn)
        out[cuda.blockIdx.x * threads + thread] = total

    return Kernel("ceiling_read", run, types.void(_BYTES, _INTS, types.int32), threads)
