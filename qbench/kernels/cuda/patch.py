"""The end of every tensor-core kernel: a warp's patch of shared memory to the output, four columns at a time."""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.block import device_function
from qbench.kernels.cuda.dialect import types
from qbench.kernels.cuda.epilogue import Epilogue, finish
from qbench.kernels.cuda.products import Product
from qbench.kernels.cuda.shapes import WARP, TileShape
from qbench.kernels.cuda.shared import div, mod


def store_patch(product: Product, epilogue: Epilogue, shape: TileShape) -> Any:
    """Return the device function (arrays, limits, sizes, patch address, first row, first column, lane)."""
    warp_m, quads, patch_words = shape.mi * 16, shape.nj * 2, shape.patch_words
    row_sums = epilogue.sums or product.mma == "b1"
    finish_four = finish(product, epilogue)

    def store(arrays: Any, limits: Any, sizes: Any, patch: Any, first_row: Any, first_column: Any, lane: Any) -> None:
        out, residual, out_rows, residual_rows = arrays[2], arrays[3], arrays[5], arrays[6]
        params, sums = arrays[8:12], arrays[12]
        rows, stored, sum_correction = sizes[0], sizes[2], sizes[4]
        for index in range(lane, warp_m * quads, WARP):
            row, quad = div(index, quads), mod(index, quads) * 4
            place, column = first_row + row, first_column + quad
            if place < rows and column < stored:
                row_sum = sums[place] + sum_correction if row_sums else 0
                finish_four(
                    patch + 4 * (row * patch_words + quad), (out, out_rows[place]), (residual, residual_rows[place]),
                    params, column, row_sum, limits,
                )  # fmt: skip

    return device_function(store)


def place_of_block(tile_m: int, tile_n: int, tall: int) -> Any:
    """Return the device function (block, rows, channels) -> (first row, first column) of the block's tile.

    `tall` tiles down share columns before the next tiles across, so that both operands stay in the second-level cache.
    """

    def place(block: Any, rows: Any, channels: Any) -> Any:
        tiles_m, tiles_n = div(rows + tile_m - 1, tile_m), div(channels, tile_n)
        wide = tall * tiles_n
        first = div(block, wide) * tall
        down, inner = min(tiles_m - first, tall), mod(block, wide)
        return (first + mod(inner, down)) * tile_m, div(inner, down) * tile_n

    return device_function(place, types.UniTuple(types.int64, 2))
