"""The kernel of tensor cores by mma.sync: tiles of any literal size, copied in stages while others are multiplied.

Every loop inside a stage is unrolled by a building block; what is left here is the pipeline and the epilogue.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language import copies
from qbench.kernels.cuda.language.arguments import SIGNATURE
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shapes import WARP, TileShape
from qbench.kernels.cuda.language.shared import SHARED_MARGIN, commit, div, mod, shared_base, sync_warp, waiting
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import epilogue
from qbench.kernels.cuda.multiply import fragments as multiply
from qbench.kernels.cuda.multiply.patch import place_of_block, store_patch
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.epilogue import parse_epilogue

TALL = 8
"""Tiles down that neighbouring blocks share columns with, so that both operands are found in the second-level cache."""


@cache
def tile_kernel(product_name: str, words: str, shape: TileShape, *, piece: int = 16, group_steps: int = 0) -> Kernel:
    """Return the kernel.

    Args:
        product_name: a key of `PRODUCTS`.
        words: the epilogue, e.g. `u8+residual`.
        shape: literal sizes.
        piece: bytes of the lhs that lie in one piece: 16 or 4.
        group_steps: instructions deep that a group with a scale of its own is; 0 when not grouped.
    """
    product, ending = PRODUCTS[product_name], parse_epilogue(words)
    tile_m, tile_n, depth, stages = shape.rows, shape.columns, shape.depth_bytes, shape.stages
    threads, warps_n = shape.threads, shape.warps_n
    rhs_depth = depth // product.planes
    lhs_bytes, stage_bytes = tile_m * depth, shape.stage_bytes(product.planes)
    pieces = depth // piece
    warp_m, warp_n = shape.mi * 16, shape.nj * 8
    patch_bytes = warp_m * shape.patch_words * 4
    steps = multiply.steps_a_stage(shape)
    small_groups, stages_a_group = 0 < group_steps < steps, max(1, group_steps // steps)
    groups_a_stage = steps // group_steps if small_groups else 1
    grouped = group_steps > 0
    large_groups = grouped and not small_groups

    zero_acc = multiply.zeros(shape.accumulators, is_float=product.is_float)
    start_total = multiply.start_at(shape)
    row_offsets = copies.row_offsets(tile_m, depth, piece, threads)
    copy_lhs = copies.copy_lhs(tile_m, depth, piece, threads)
    copy_rhs = copies.copy_rhs(tile_n, rhs_depth, threads)
    lhs_lane = multiply.lane_address(is_lhs=True, row_bytes=depth)
    rhs_lane = multiply.lane_address(is_lhs=False, row_bytes=rhs_depth)
    products = multiply.multiply(product, shape)
    small = multiply.multiply_small_groups(product, shape, group_steps) if small_groups else products
    add_group = multiply.add_group(product, shape)
    lay_down = epilogue.lay_down(shape.mi, shape.nj, shape.patch_words, is_float=grouped or product.is_float)
    store = store_patch(product, ending, shape)
    place = place_of_block(tile_m, tile_n, TALL)
    wait = waiting(stages - 2)
    wait_all = waiting(0)

    def run(arrays: Any, limits: Any, sizes: Any) -> None:
        lhs, rhs, lhs_rows, k_offsets = arrays[0], arrays[1], arrays[4], arrays[7]
        scale, offset = arrays[9], arrays[10]
        rows, channels, k_stages = sizes[0], sizes[1], sizes[3]
        thread = cuda.threadIdx.x
        warp, lane = thread // WARP, thread % WARP
        m, n = place(cuda.blockIdx.x, rows, channels)
        base = shared_base(cuda.shared.array(0, types.uint8))
        offsets = row_offsets(lhs_rows, m, rows - 1, thread)
        rhs_stride = k_stages * rhs_depth
        rhs_first = n * rhs_stride
        for stage in range(stages - 1):
            if stage < k_stages:
                at = base + stage * stage_bytes
                copy_lhs(lhs, offsets, k_offsets[stage * pieces + thread % pieces], at, thread)
                copy_rhs(rhs, rhs_first + stage * rhs_depth, rhs_stride, at + lhs_bytes, thread)
            commit()

        own_m, own_n = warp // warps_n * warp_m, warp % warps_n * warp_n
        lhs_own = lhs_lane(base + own_m * depth, lane)
        rhs_own = rhs_lane(base + lhs_bytes + own_n * rhs_depth, lane)
        column = n + own_n + lane % 4 * 2
        acc = zero_acc()
        total = start_total(offset, column)
        slot, next_slot = 0, stages - 1
        for stage in range(k_stages):
            wait()
            cuda.syncthreads()
            coming = stage + stages - 1
            if coming < k_stages:
                at = base + next_slot * stage_bytes
                copy_lhs(lhs, offsets, k_offsets[coming * pieces + thread % pieces], at, thread)
                copy_rhs(rhs, rhs_first + coming * rhs_depth, rhs_stride, at + lhs_bytes, thread)
            commit()
            here = slot * stage_bytes
            if small_groups:
                index = stage * groups_a_stage * channels + column
                total = small(total, lhs_own + here, rhs_own + here, scale, index, channels)
            else:
                acc = products(acc, lhs_own + here, rhs_own + here)
            if large_groups and (mod(stage + 1, stages_a_group) == 0 or stage + 1 == k_stages):
                total = add_group(total, acc, scale, div(stage, stages_a_group) * channels + column)
                acc = zero_acc()
            slot = slot + 1 if slot + 1 < stages else 0
            next_slot = next_slot + 1 if next_slot + 1 < stages else 0

        wait_all()
        cuda.syncthreads()
        patch = base + warp * patch_bytes
        if grouped:
            lay_down(total, patch, lane)
        else:
            lay_down(acc, patch, lane)
        sync_warp()
        store(arrays, limits, sizes, patch, m + own_m, n + own_n, lane)

    name = f"tile_{product.name}_{shape.token}"
    return Kernel(name, run, SIGNATURE, threads, shape.shared_bytes(product.planes) + SHARED_MARGIN)
