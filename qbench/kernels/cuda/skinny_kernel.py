"""The kernel for few lhs rows, which memory bounds: each weight is read once, by the lane that multiplies it.

A block computes 16 columns of 8 rows; its warps take turns in the depth, whole groups each. Grouped sums are kept apart
in shared memory and added in the groups' order, so that the result is that of every other kernel, to the last bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda import skinny
from qbench.kernels.cuda.arguments import SIGNATURE
from qbench.kernels.cuda.dialect import cuda, types
from qbench.kernels.cuda.epilogue import Epilogue, finish
from qbench.kernels.cuda.machine import Kernel
from qbench.kernels.cuda.multiply import zeros
from qbench.kernels.cuda.products import PRODUCTS
from qbench.kernels.cuda.shapes import WARP
from qbench.kernels.cuda.shared import SHARED_MARGIN, shared_base

LOADS_IN_FLIGHT = 4
"""Blocks of 16 bytes that a lane asks for before it multiplies the first."""

SLOT_BYTES = 4 * skinny.CELLS


@cache
def skinny_kernel(product_name: str, words: str, *, group_size: int = 0, warps: int = 8, slots: int = 8) -> Kernel:
    """Return the kernel.

    Args:
        product_name: a key of `PRODUCTS`.
        words: the epilogue, e.g. `f32+grouped`.
        group_size: codes that share a scale, a multiple of a block's depth; 0 when not grouped.
        warps: warps of a block.
        slots: tables of 16 x 8 sums in shared memory: one a warp, or one a group of the depth.
    """
    product, ending = PRODUCTS[product_name], Epilogue.parse(words)
    grouped = group_size > 0
    blocks = max(1, group_size // (product.codes_a_step * product.planes))
    units = max(1, LOADS_IN_FLIGHT // blocks)
    lhs_unit, rhs_unit = blocks * skinny.lhs_block_bytes(product), blocks * skinny.BLOCK_BYTES
    quarter = 8 * product.planes
    row_sums = ending.sums or product.mma == "b1"

    zero = zeros(4, is_float=product.is_float)
    add_many, add_one = skinny.add_units(product, blocks, units), skinny.add_units(product, blocks, 1)
    scale_many, scale_one = skinny.scale_units(product, blocks, units), skinny.scale_units(product, blocks, 1)
    lay_down, gather, put_word = skinny.lay_down_sums(product), skinny.gather(product, grouped=grouped), skinny.put_word
    finish_four = finish(product, ending)
    cells, columns, tall, slot_bytes, threads = skinny.CELLS, skinny.COLUMNS, skinny.ROWS, SLOT_BYTES, warps * WARP

    def run(arrays: Any, limits: Any, sizes: Any) -> None:
        lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows = arrays[:7]
        params, sums = arrays[8:12], arrays[12]
        rows, channels, stored, depth_units, sum_correction = sizes
        thread = cuda.threadIdx.x
        warp, lane = thread // WARP, thread % WARP
        row_tiles = (rows + tall - 1) // tall
        m, n = cuda.blockIdx.x % row_tiles * tall, cuda.blockIdx.x // row_tiles * columns
        base = shared_base(cuda.shared.array(0, types.uint8))
        own = base + 4 * (lane // 4 * tall + lane % 4 * 2)
        lhs_at = lhs_rows[min(m + lane // 4, rows - 1)] + lane % 4 * quarter
        rhs_at = n // columns * depth_units * rhs_unit + lane * 16
        index = n + lane // 4
        acc = zero()
        unit = warp
        while unit + (units - 1) * warps < depth_units:
            r, left = rhs_at + unit * rhs_unit, lhs_at + unit * lhs_unit
            if grouped:
                scale_many(
                    rhs, r, warps * rhs_unit, lhs, left, warps * lhs_unit, params[:2], index + unit * channels,
                    warps * channels, own + unit * slot_bytes, warps * slot_bytes,
                )  # fmt: skip
            else:
                acc = add_many(acc, rhs, r, warps * rhs_unit, lhs, left, warps * lhs_unit)
            unit += units * warps
        while unit < depth_units:
            r, left = rhs_at + unit * rhs_unit, lhs_at + unit * lhs_unit
            if grouped:
                scale_one(
                    rhs, r, 0, lhs, left, 0, params[:2], index + unit * channels, 0, own + unit * slot_bytes, 0
                )  # fmt: skip
            else:
                acc = add_one(acc, rhs, r, 0, lhs, left, 0)
            unit += warps
        if not grouped:
            lay_down(acc, own + warp * slot_bytes)
        cuda.syncthreads()
        tables = depth_units if grouped else warps
        for cell in range(thread, cells, threads):
            total = 0
            for table in range(tables):
                total = gather(total, base + table * slot_bytes + 4 * cell)
            put_word(total, base + tables * slot_bytes + 4 * (cell % tall * columns + cell // tall))
        cuda.syncthreads()
        for quad in range(thread, cells // 4, threads):
            place, channel = m + quad // 4, n + quad % 4 * 4
            if place < rows and channel < stored:
                row_sum = sums[place] + sum_correction if row_sums else 0
                finish_four(
                    base + tables * slot_bytes + 16 * quad, (out, out_rows[place]), (residual, residual_rows[place]),
                    params, channel, row_sum, limits,
                )  # fmt: skip

    shared = (slots + 1) * SLOT_BYTES + SHARED_MARGIN
    return Kernel(f"skinny_{product.name}", run, SIGNATURE, threads, shared)
