"""Panels on Hopper's tensor cores: some or many lhs rows by 4-bit weights in groups of 128.

Like `panel_kernel` where every warp has all of its columns' depth; two warpgroups of a multiprocessor take turns, the
one at its products while the other scales its group.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language import copies
from qbench.kernels.cuda.language.arguments import SIGNATURE
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shapes import CHUNK, WARP
from qbench.kernels.cuda.language.shared import SHARED_MARGIN, add, commit, div, mod, next_slot, shared_base, waiting
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import hopper_panel, panel
from qbench.kernels.cuda.multiply.epilogue import finish, take_params
from qbench.kernels.cuda.multiply.hopper import GROUP_THREADS, ROW_BYTES, copies_seen
from qbench.kernels.cuda.multiply.hopper_panel import BLOCKS, HopperPanelShape
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.cuda.multiply.skinny import BLOCK_BYTES, COLUMNS
from qbench.kernels.epilogue import parse_epilogue


@cache
def hopper_panel_kernel(product_name: str, words: str, shape: HopperPanelShape) -> Kernel:
    """Return the kernel for `u8_t4` in groups of 128; `words` is the epilogue, e.g. `f32+grouped`."""
    product, ending = PRODUCTS[product_name], parse_epilogue(words)
    assert ending.words.grouped
    tall, panel_rows, columns, threads, stages = shape.tall, shape.rows, shape.columns, shape.threads, shape.stages
    across, units, quads, ahead = shape.across, shape.units, columns // 4, stages - 1
    tile_bytes, stage_bytes, lhs_bytes = BLOCKS * BLOCK_BYTES * units, shape.stage_bytes, shape.lhs_bytes
    scales_at, scale_bytes = stages * shape.stage_bytes, shape.scale_bytes
    row_copiers, copiers = min(threads, panel_rows * ROW_BYTES // CHUNK), min(threads, shape.rhs_bytes // CHUNK)

    offsets_of = copies.row_offsets(panel_rows, ROW_BYTES, CHUNK, row_copiers)
    take_offsets, copy_rows = hopper_panel.take_offsets(shape), hopper_panel.copy_rows(shape, row_copiers)
    copy_tiles, copy_scales = hopper_panel.copy_tiles(shape, copiers), panel.copy_scales(columns)
    start, lay_down = panel.start_totals(shape.totals), panel.lay_down_totals(shape.totals)
    add_groups, seen, wait_all = hopper_panel.add_groups(product, shape), copies_seen(ahead - 1), waiting(0)
    advance = next_slot(stages)
    take_four, finish_four = take_params(product, ending), finish(product, ending, 1)

    def run(arrays: Any, limits: Any, counts: Any) -> None:
        lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows, k_offsets = arrays[:8]
        params, sums = arrays[8:12], arrays[12]
        rows, channels, stored, k_stages, sum_correction = counts
        thread = cuda.threadIdx.x
        lane, group = thread % WARP, thread // GROUP_THREADS
        tile = group % across * 4 + thread // WARP % 4
        row_tiles = (rows + panel_rows - 1) // panel_rows
        m, n = mod(cuda.blockIdx.x, row_tiles) * panel_rows, div(cuda.blockIdx.x, row_tiles) * columns
        base = shared_base(cuda.shared.array(0, types.uint8))
        offsets = offsets_of(lhs_rows, m, rows - 1, thread)
        stride = k_stages * tile_bytes
        rhs_at = n // COLUMNS * stride
        first_row, column = group // across * tall, tile * COLUMNS + lane // 4
        own_packed, own_lhs = lhs_bytes + tile * tile_bytes + lane * CHUNK, first_row * ROW_BYTES
        total = start(params[2], n + column)
        coming_offsets = take_offsets(k_offsets, 0, thread)
        slot, coming_slot = add(0, 0), add(0, 0)
        for coming in range(add(k_stages, ahead)):
            if coming >= ahead:
                seen()
                cuda.syncthreads()
            if coming < k_stages:
                at = base + coming_slot * stage_bytes
                if thread < copiers:
                    copy_tiles(rhs, rhs_at + coming * tile_bytes, stride, at + lhs_bytes, thread)
                if thread < row_copiers:
                    copy_rows(lhs, offsets, coming_offsets, at, thread)
                if thread < units * quads:
                    to = base + scales_at + coming_slot * scale_bytes
                    copy_scales(params[1], coming * units, channels, n, to, thread)
                coming_offsets = take_offsets(k_offsets, min(add(coming, 1), add(k_stages, -1)), thread)
            commit()
            coming_slot = advance(coming_slot)
            if coming >= ahead:
                here = base + slot * stage_bytes
                scales = base + scales_at + slot * scale_bytes + 4 * column
                total = add_groups(total, here + own_packed, here + own_lhs, scales)
                slot = advance(slot)
        wait_all()
        cuda.syncthreads()
        lay_down(total, base + 4 * ((first_row + lane % 4 * 2) * columns + column))
        cuda.syncthreads()
        for quad in range(thread, panel_rows * quads, threads):
            channel = n + quad % quads * 4
            if channel < stored:
                finish_four(
                    base + 16 * quad, 0, (out, out_rows), (residual, residual_rows), take_four(params, channel),
                    channel, m + quad // quads, 1, (rows, sum_correction), sums, limits,
                )  # fmt: skip

    name = f"panel_wgmma_{product.name}_{shape.token}"
    shared = shape.shared_bytes + SHARED_MARGIN
    return Kernel(name, run, SIGNATURE, threads, shared, needs=90, arch_specific=True)
