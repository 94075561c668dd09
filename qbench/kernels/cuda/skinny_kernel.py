"""The kernel for few lhs rows, which memory bounds: each weight is read once, by the lane that multiplies it.

A block computes 16 columns of 8 or 16 rows; its warps take turns in the depth, whole groups each. Grouped sums are kept
apart in shared memory and added in the groups' order: the result is that of every other kernel, to the last bit.
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
from qbench.kernels.cuda.shared import SHARED_MARGIN, div, mod, shared_base

LOADS_IN_FLIGHT = 4
"""Blocks of 16 bytes that a lane asks for before it multiplies the first."""

SCALE_BYTES = 4 * skinny.COLUMNS


@cache
def skinny_kernel(
    product_name: str, words: str, *, group_size: int = 0, tall: int = 8, warps: int = 8, slots: int = 8
) -> Kernel:
    """Return the kernel.

    Args:
        product_name: a key of `PRODUCTS`.
        words: the epilogue, e.g. `f32+grouped`.
        group_size: codes that share a scale, a multiple of a block's depth; 0 when not grouped.
        tall: lhs rows of a block, 8 or 16.
        warps: warps of a block.
        slots: tables of 16 x `tall` sums in shared memory: one a warp, or one a group of the depth.
    """
    product, ending = PRODUCTS[product_name], Epilogue.parse(words)
    grouped = group_size > 0
    blocks = max(1, group_size // (product.codes_a_step * product.planes))
    units = max(1, LOADS_IN_FLIGHT // blocks)
    lhs_unit, rhs_unit = blocks * skinny.lhs_block_bytes(product), blocks * skinny.BLOCK_BYTES
    quarter = 8 * product.planes
    row_sums = ending.sums or product.mma == "b1"

    zero = zeros(tall // 2, is_float=product.is_float)
    add_many, add_one = (skinny.add_units(product, tall, blocks, count) for count in (units, 1))
    sum_many, sum_one = (skinny.sum_units(product, tall, blocks, count) for count in (units, 1))
    start_word = skinny.start_word(grouped=grouped)
    lay_down, gather, put_word = (
        skinny.lay_down_sums(product, tall),
        skinny.gather(product, grouped=grouped),
        skinny.put_word,
    )
    finish_four = finish(product, ending)
    columns, threads, cells = skinny.COLUMNS, warps * WARP, skinny.COLUMNS * tall
    slot_bytes, scale_bytes = 4 * cells, SCALE_BYTES
    last_half = tall - skinny.HALF

    def run(arrays: Any, limits: Any, sizes: Any) -> None:
        lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows = arrays[:7]
        params, sums = arrays[8:12], arrays[12]
        rows, channels, stored, depth_units, sum_correction = sizes
        thread = cuda.threadIdx.x
        warp, lane = thread // WARP, thread % WARP
        row_tiles = (rows + tall - 1) // tall
        m, n = mod(cuda.blockIdx.x, row_tiles) * tall, div(cuda.blockIdx.x, row_tiles) * columns
        base = shared_base(cuda.shared.array(0, types.uint8))
        own = base + 4 * (lane // 4 * tall + lane % 4 * 2)
        tables = depth_units if grouped else warps
        first_scale = base + (tables + 1) * slot_bytes
        scales = first_scale + 4 * (lane // 4)
        own_row, inner = m + lane // 4, lane % 4 * quarter
        lhs_at = lhs_rows[min(own_row, rows - 1)] + inner
        lhs_last = lhs_rows[min(own_row + last_half, rows - 1)] + inner
        rhs_at = n // columns * depth_units * rhs_unit + lane * 16
        index = n + lane // 4
        acc = zero()
        unit = warp
        while unit + (units - 1) * warps < depth_units:
            r, step = rhs_at + unit * rhs_unit, unit * lhs_unit
            left = (lhs_at + step, lhs_last + step)
            if grouped:
                sum_many(
                    rhs, r, warps * rhs_unit, lhs, left, warps * lhs_unit, params[:2], index + unit * channels,
                    warps * channels, own + unit * slot_bytes, warps * slot_bytes, scales + unit * scale_bytes,
                    warps * scale_bytes,
                )  # fmt: skip
            else:
                acc = add_many(acc, rhs, r, warps * rhs_unit, lhs, left, warps * lhs_unit)
            unit += units * warps
        while unit < depth_units:
            r, step = rhs_at + unit * rhs_unit, unit * lhs_unit
            left = (lhs_at + step, lhs_last + step)
            if grouped:
                sum_one(
                    rhs, r, 0, lhs, left, 0, params[:2], index + unit * channels, 0, own + unit * slot_bytes, 0,
                    scales + unit * scale_bytes, 0,
                )  # fmt: skip
            else:
                acc = add_one(acc, rhs, r, 0, lhs, left, 0)
            unit += warps
        if not grouped:
            lay_down(acc, own + warp * slot_bytes)
        cuda.syncthreads()
        for cell in range(thread, cells, threads):
            total = start_word(params[2], n + cell // tall)
            for table in range(tables):
                scale = first_scale + table * scale_bytes + 4 * (cell // tall)
                total = gather(total, base + table * slot_bytes + 4 * cell, scale)
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

    shared = (slots + 1) * slot_bytes + slots * SCALE_BYTES + SHARED_MARGIN
    return Kernel(f"skinny{tall}_{product.name}", run, SIGNATURE, threads, shared)
