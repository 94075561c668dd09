"""The end of every tensor-core kernel: a warp's patch of shared memory to the output, four columns at a time."""

from __future__ import annotations

from typing import Any

from qbench.kernels.cuda.language.block import device_function
from qbench.kernels.cuda.language.dialect import types
from qbench.kernels.cuda.language.shapes import WARP, TileShape
from qbench.kernels.cuda.language.shared import div, mod
from qbench.kernels.cuda.multiply.epilogue import finish, take_params
from qbench.kernels.cuda.multiply.products import Product
from qbench.kernels.epilogue import Epilogue

ROWS_AT_ONCE = 4
"""Rows whose loads are under way together."""


def store_patch(product: Product, epilogue: Epilogue, shape: TileShape) -> Any:
    """Return the device function (arrays, limits, sizes, patch address, first row, first column, lane).

    A lane keeps to four columns, whose parameters it loads once, and goes down the rows.
    """
    quads = shape.nj * 2
    across = min(quads & -quads, WARP)  # lanes side by side: a power of two that divides a row's quads
    down = WARP // across
    rows = min(ROWS_AT_ONCE, shape.mi * 16 // down)
    turns, passes, pitch = shape.mi * 16 // (down * rows), quads // across, 4 * shape.patch_words
    take, finish_rows = take_params(product, epilogue), finish(product, epilogue, rows)

    def store(arrays: Any, limits: Any, sizes: Any, patch: Any, first_row: Any, first_column: Any, lane: Any) -> None:
        out, residual = (arrays[2], arrays[5]), (arrays[3], arrays[6])
        params, sums = arrays[8:12], arrays[12]
        counts, stored = (sizes[0], sizes[4]), sizes[2]
        own_row, own_quad = lane // across, lane % across
        for part in range(passes):
            quad = part * across + own_quad
            column = first_column + quad * 4
            if column < stored:
                words = take(params, column)
                for turn in range(turns):
                    row = turn * down * rows + own_row
                    finish_rows(
                        patch + row * pitch + 16 * quad, down * pitch, out, residual, words, column, first_row + row,
                        down, counts, sums, limits,
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
