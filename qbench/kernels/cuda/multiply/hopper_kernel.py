"""The kernel of Hopper's tensor cores: wgmma on operands in shared memory, copied in stages meanwhile.

While the products of stage s run, the copies of stage s + stages - 2 start: their slot was read by the products of
stage s - 2, which every warpgroup has waited for before the barrier of stage s.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from qbench.kernels.cuda.language import copies
from qbench.kernels.cuda.language.arguments import SIGNATURE
from qbench.kernels.cuda.language.dialect import cuda, types
from qbench.kernels.cuda.language.shapes import CHUNK, WARP, TileShape
from qbench.kernels.cuda.language.shared import SHARED_MARGIN, commit, shared_base, sync_warp, waiting
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply import epilogue, hopper
from qbench.kernels.cuda.multiply import fragments as multiply
from qbench.kernels.cuda.multiply.patch import place_of_block, store_patch
from qbench.kernels.cuda.multiply.products import PRODUCTS
from qbench.kernels.epilogue import parse_epilogue

TALL = 8


def hopper_shape(groups: int, columns: int, stages: int) -> TileShape:
    """Return the tile of `groups` warpgroups of 64 rows each by `columns` columns."""
    return TileShape(4 * groups, 1, 1, columns // 8, hopper.ROW_BYTES, stages)


@cache
def hopper_kernel(product_name: str, words: str, shape: TileShape) -> Kernel:
    """Return the kernel for `u8_s8` or `b1_b1`; `words` is the epilogue, `shape` is of `hopper_shape`."""
    product, ending = PRODUCTS[product_name], parse_epilogue(words)
    tile_m, tile_n, depth, stages = shape.rows, shape.columns, shape.depth_bytes, shape.stages
    assert depth == hopper.ROW_BYTES
    assert stages >= 3
    threads, pieces = shape.threads, depth // CHUNK
    lhs_bytes, stage_bytes = tile_m * depth, shape.stage_bytes(1)
    group_bytes = hopper.GROUP_ROWS * depth
    patch_bytes = 16 * shape.patch_words * 4
    ahead = stages - 2

    zeros = multiply.zeros(shape.accumulators, is_float=False)
    row_offsets = copies.row_offsets(tile_m, depth, CHUNK, threads)
    copy_lhs = copies.copy_lhs(tile_m, depth, CHUNK, threads)
    copy_rhs = copies.copy_rhs(tile_n, depth, threads)
    start = hopper.start_products(product.mma, tile_n)
    wait_last, wait_all = hopper.wait_products(tile_n, 1), hopper.wait_products(tile_n, 0)
    copies_seen, no_copies = hopper.copies_seen(ahead - 1), waiting(0)
    lay_down = epilogue.lay_down(1, shape.nj, shape.patch_words, is_float=False)
    store = store_patch(product, ending, shape)
    place = place_of_block(tile_m, tile_n, TALL)

    def run(arrays: Any, limits: Any, sizes: Any) -> None:
        lhs, rhs, lhs_rows, k_offsets = arrays[0], arrays[1], arrays[4], arrays[7]
        rows, channels, k_stages = sizes[0], sizes[1], sizes[3]
        thread = cuda.threadIdx.x
        warp, lane = thread // WARP, thread % WARP
        m, n = place(cuda.blockIdx.x, rows, channels)
        base = shared_base(cuda.shared.array(0, types.uint8))
        offsets = row_offsets(lhs_rows, m, rows - 1, thread)
        rhs_stride = k_stages * depth
        rhs_first = n * rhs_stride
        for stage in range(ahead):
            if stage < k_stages:
                at = base + stage * stage_bytes
                copy_lhs(lhs, offsets, k_offsets[stage * pieces + thread % pieces], at, thread)
                copy_rhs(rhs, rhs_first + stage * depth, rhs_stride, at + lhs_bytes, thread)
            commit()

        own = base + warp // 4 * group_bytes
        acc = zeros()
        slot, coming_slot = 0, ahead
        for stage in range(k_stages):
            copies_seen()
            cuda.syncthreads()
            here = slot * stage_bytes
            acc = start(acc, own + here, base + lhs_bytes + here)
            coming = stage + ahead
            if coming < k_stages:
                at = base + coming_slot * stage_bytes
                copy_lhs(lhs, offsets, k_offsets[coming * pieces + thread % pieces], at, thread)
                copy_rhs(rhs, rhs_first + coming * depth, rhs_stride, at + lhs_bytes, thread)
            commit()
            acc = wait_last(acc)
            slot = slot + 1 if slot + 1 < stages else 0
            coming_slot = coming_slot + 1 if coming_slot + 1 < stages else 0

        acc = wait_all(acc)
        no_copies()
        cuda.syncthreads()
        patch = base + warp * patch_bytes
        lay_down(acc, patch, lane)
        sync_warp()
        store(arrays, limits, sizes, patch, m + warp * 16, n, lane)

    name = f"wgmma_{product.name}_{shape.token}"
    shared = shape.shared_bytes(1) + SHARED_MARGIN
    return Kernel(name, run, SIGNATURE, threads, shared, needs=90, arch_specific=True)
