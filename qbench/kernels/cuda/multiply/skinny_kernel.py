"""The kernel for few lhs rows, which memory bounds: each weight is read once, by the lane that multiplies it.

A block computes 16 columns of 8 or 16 rows; its warps take turns in the depth, whole groups each. The weights of a turn
are asked for before the last one's are multiplied. Grouped sums are kept apart in shared memory and added in the
groups' order: the result is that of every other kernel, to the last bit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language.arguments import SIGNATURE
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shapes import WARP
from qbench.kernels.cuda.language.shared import SHARED_MARGIN, div, mod, shared_base
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import skinny
from qbench.kernels.cuda.multiply.epilogue import finish, take_params
from qbench.kernels.cuda.multiply.fragments import zeros
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.epilogue import parse_epilogue

GATHERED = 8
"""Sums whose loads are under way together."""


@cache
def skinny_kernel(
    product_name: str, words: str, *, group_size: int = 0, tall: int = 8, warps: int = 8, loads: int = 4, slots: int = 8
) -> Kernel:
    """Return the kernel.

    Args:
        product_name: a key of `PRODUCTS`.
        words: the epilogue, e.g. `f32+grouped`.
        group_size: codes that share a scale, a multiple of a block's depth; 0 when not grouped.
        tall: lhs rows of a block, 8 or 16.
        warps: warps of a block.
        loads: blocks of 16 bytes per lane that a turn takes, at least one group.
        slots: groups of the depth, each with a table of sums in shared memory; without groups a table per warp.
    """
    product, ending = PRODUCTS[product_name], parse_epilogue(words)
    grouped = group_size > 0
    blocks = max(1, group_size // (product.codes_a_step * product.planes))
    units = max(1, loads // blocks)
    turn_units, rhs_unit = units * warps, blocks * skinny.BLOCK_BYTES
    tables = -(-slots // turn_units) * turn_units if grouped else warps  # whole turns
    quarter = 8 * product.planes

    zero = zeros(tall // 2, is_float=product.is_float)
    many, one = (skinny.Blocks(product, tall, blocks=blocks, units=count, warps=warps) for count in (units, 1))
    take_many, take_one = skinny.take_units(many), skinny.take_units(one)
    add_many, add_one, sum_many = skinny.add_units(many), skinny.add_units(one), skinny.sum_units(many)
    start_word, lay_down = skinny.start_word(grouped=grouped), skinny.lay_down_sums(product, tall)
    gather_many, gather_one = (skinny.gather(product, tall, count, grouped=grouped) for count in (GATHERED, 1))
    put_word = skinny.put_word
    take_four, finish_four = take_params(product, ending), finish(product, ending, 1)
    columns, threads, cells = skinny.COLUMNS, warps * WARP, skinny.COLUMNS * tall
    slot_bytes, scale_bytes = skinny.slot_bytes(tall), skinny.SCALE_BYTES
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
        totals = base + tables * slot_bytes
        first_scale = totals + slot_bytes
        scales = first_scale + 4 * (lane // 4)
        own_row, inner = m + lane // 4, lane % 4 * quarter
        left = (lhs_rows[min(own_row, rows - 1)] + inner, lhs_rows[min(own_row + last_half, rows - 1)] + inner)
        rhs_at = n // columns * depth_units * rhs_unit + lane * 16
        index, last = n + lane // 4, depth_units - 1
        turns = div(depth_units + (turn_units - 1 if grouped else 0), turn_units)
        acc = zero()
        coming = take_many(rhs, rhs_at, warp, last)
        for turn in range(turns):
            first, packed = turn * turn_units + warp, coming
            if turn + 1 < turns:
                coming = take_many(rhs, rhs_at, first + turn_units, last)
            if grouped:
                sum_many(
                    packed, lhs, left, params[1], index, channels, first, last, own + first * slot_bytes,
                    scales + first * scale_bytes,
                )  # fmt: skip
            else:
                acc = add_many(acc, packed, lhs, left, first)
        if not grouped:
            for unit in range(turns * turn_units + warp, depth_units, warps):
                acc = add_one(acc, take_one(rhs, rhs_at, unit, last), lhs, left, unit)
            lay_down(acc, own + warp * slot_bytes)
        cuda.syncthreads()
        count = depth_units if grouped else warps
        whole = count // GATHERED * GATHERED
        for cell in range(thread, cells, threads):
            column, row = cell // tall, cell % tall
            total, address, scale = start_word(params[2], n + column), base + 4 * cell, first_scale + 4 * column
            for table in range(0, whole, GATHERED):
                total = gather_many(total, address + table * slot_bytes, scale + table * scale_bytes)
            for table in range(whole, count):
                total = gather_one(total, address + table * slot_bytes, scale + table * scale_bytes)
            put_word(total, totals + 4 * (row * columns + column))
        cuda.syncthreads()
        for quad in range(thread, cells // 4, threads):
            channel = n + quad % 4 * 4
            if channel < stored:
                finish_four(
                    totals + 16 * quad, 0, (out, out_rows), (residual, residual_rows), take_four(params, channel),
                    channel, m + quad // 4, 1, (rows, sum_correction), sums, limits,
                )  # fmt: skip

    shared = (tables + 1) * slot_bytes + tables * scale_bytes + SHARED_MARGIN
    return Kernel(f"skinny{tall}x{loads}_{product.name}", run, SIGNATURE, threads, shared)
