"""The kernel for few lhs rows by 4-bit weights in groups: panels of columns, all of the depth, in stages.

A block computes 16 to 128 columns of 8 to 64 rows, so that lhs rows are read once for all of its columns. Weights are
bound for the lanes that multiply them, copied as far ahead as shared memory allows: memory is kept busy by copies, not
by warps. The law adds groups in order. Where a warp has all of a column's depth it does so in registers; where `along`
warps share it, their sums of stage s meet in shared memory and are added while stage s + 1 is multiplied.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language.arguments import SIGNATURE
from qbench.kernels.cuda.language.copies import row_offsets
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shapes import CHUNK, WARP
from qbench.kernels.cuda.language.shared import SHARED_MARGIN, add, commit, div, mod, next_slot, shared_base, waiting
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import panel
from qbench.kernels.cuda.multiply.epilogue import finish, take_params
from qbench.kernels.cuda.multiply.panel_shape import PanelBytes, PanelShape
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.cuda.multiply.skinny import COLUMNS, lhs_block_bytes
from qbench.kernels.epilogue import parse_epilogue


def panel_bytes(product_name: str, shape: PanelShape, group_size: int) -> PanelBytes:
    """Return where things lie in a block's shared memory; `group_size` is a multiple of a block's depth."""
    product = PRODUCTS[product_name]
    return PanelBytes(product, shape, group_size // (product.codes_a_step * product.planes))


def shared_bytes(product_name: str, shape: PanelShape, group_size: int) -> int:
    """Return the shared memory of a block."""
    return panel_bytes(product_name, shape, group_size).total + SHARED_MARGIN


@cache
def panel_kernel(product_name: str, words: str, shape: PanelShape, *, group_size: int) -> Kernel:
    """Return the kernel for `u8_t4`; `words` is the epilogue, e.g. `f32+grouped`."""
    sizes = panel_bytes(product_name, shape, group_size)
    product, ending = PRODUCTS[product_name], parse_epilogue(words)
    tall, columns, threads, groups, stages = shape.tall, shape.columns, shape.threads, shape.groups, shape.stages
    along, split, quads = shape.along, shape.is_split, columns // 4
    ahead = stages - (2 if split else 1)  # scales of the stage before are read when sums meet
    assert ahead > 0
    pieces, part = sizes.depth // CHUNK, lhs_block_bytes(product)
    copiers, scalers = min(threads, tall * pieces), groups * quads
    assert scalers <= threads
    assert ending.words.grouped
    stage_bytes, share, tile_stage = sizes.stage, sizes.share, along * sizes.share
    scales_at, sums_at = sizes.lhs + sizes.rhs, stages * sizes.stage
    lhs_share = shape.units * sizes.blocks * part * tall
    scale_share = shape.units * columns * 4
    parity_bytes = groups * sizes.table

    offsets_of = row_offsets(tall, sizes.depth, CHUNK, copiers)
    copy_rows, copy_share = panel.copy_rows(sizes, copiers), panel.copy_share(sizes)
    prefetch = panel.prefetch_shares(sizes, ahead)
    copy_scales = panel.copy_scales(columns)
    start, lay_down = panel.start_totals(shape), panel.lay_down_totals(shape)
    add_groups, lay_down_groups = panel.add_groups(sizes), panel.lay_down_groups(sizes)
    gather = panel.gather(sizes)
    advance, next_parity = next_slot(stages), next_slot(2)
    wait, wait_all = waiting(ahead - 1), waiting(0)
    take_four, finish_four = take_params(product, ending), finish(product, ending, 1)
    across_rows = tall // shape.totals if split else 1  # threads side by side in a column

    def run(arrays: Any, limits: Any, counts: Any) -> None:
        lhs, rhs, out, residual, lhs_rows, out_rows, residual_rows, k_offsets = arrays[:8]
        params, sums = arrays[8:12], arrays[12]
        rows, channels, stored, k_stages, sum_correction = counts
        thread = cuda.threadIdx.x
        warp, lane = thread // WARP, thread % WARP
        row_tiles = (rows + tall - 1) // tall
        m, n = mod(cuda.blockIdx.x, row_tiles) * tall, div(cuda.blockIdx.x, row_tiles) * columns
        base = shared_base(cuda.shared.array(0, types.uint8))
        rhs_at = (n // COLUMNS + warp // along) * k_stages * tile_stage + warp % along * share + lane * CHUNK
        prefetch(rhs, rhs_at - lane * CHUNK, tile_stage, min(k_stages, ahead) - 1, lane)
        offsets = offsets_of(lhs_rows, m, rows - 1, thread)
        own_packed = sizes_lhs + warp * share + lane * CHUNK
        own_lhs = warp % along * lhs_share + lane // 4 * part + lane % 4 * CHUNK
        column = warp // along * COLUMNS + lane // 4
        own_scale = scales_at + warp % along * scale_share + 4 * column
        own_table = sums_at + warp % along * shape_units * table_bytes + 4 * (column * pitch + lane % 4 * 2)
        cell_column, cell_row = thread // across_rows, thread % across_rows * totals
        patch = 4 * column + 8 * columns * (lane % 4)
        if split:
            own_scale, column = scales_at + 4 * cell_column, cell_column
            patch = 4 * (cell_row * columns + column)
        own_cells = sums_at + 4 * (cell_column * pitch + cell_row)
        total = start(params[2], n + column)
        k_offset = k_offsets[thread % pieces]
        slot, coming_slot, last_slot, parity = add(0, 0), add(0, 0), add(0, 0), add(0, 0)
        for coming in range(add(k_stages, ahead)):
            if coming >= ahead:
                wait()
                cuda.syncthreads()
            if coming < k_stages:
                at = base + coming_slot * stage_bytes
                copy_share(rhs, rhs_at + coming * tile_stage, at + own_packed)
                if thread < copiers:
                    copy_rows(lhs, offsets, k_offset, at, thread)
                if thread < scalers:
                    copy_scales(params[1], coming * groups, channels, n, at + scales_at, thread)
                k_offset = k_offsets[min(add(coming, 1), add(k_stages, -1)) * pieces + thread % pieces]
            commit()
            coming_slot = advance(coming_slot)
            if coming >= ahead:
                here = base + slot * stage_bytes
                if split:
                    if coming > ahead:
                        met = base + own_cells + (1 - parity) * parity_bytes
                        total = gather(total, met, base + last_slot * stage_bytes + own_scale)
                    lay_down_groups(here + own_packed, here + own_lhs, base + own_table + parity * parity_bytes)
                    last_slot, parity = slot, next_parity(parity)
                else:
                    total = add_groups(total, here + own_packed, here + own_lhs, here + own_scale)
                slot = advance(slot)
        wait_all()
        cuda.syncthreads()
        if split:
            met = base + own_cells + (1 - parity) * parity_bytes
            total = gather(total, met, base + last_slot * stage_bytes + own_scale)
            cuda.syncthreads()
        lay_down(total, base + patch)
        cuda.syncthreads()
        for quad in range(thread, tall * quads, threads):
            channel = n + quad % quads * 4
            if channel < stored:
                finish_four(
                    base + 16 * quad, 0, (out, out_rows), (residual, residual_rows), take_four(params, channel),
                    channel, m + quad // quads, 1, (rows, sum_correction), sums, limits,
                )  # fmt: skip

    sizes_lhs, shape_units, table_bytes = sizes.lhs, shape.units, sizes.table
    pitch, totals = shape.pitch_words, shape.totals
    name = f"panel_{product.name}_{shape.token}"
    return Kernel(name, run, SIGNATURE, threads, sizes.total + SHARED_MARGIN)
