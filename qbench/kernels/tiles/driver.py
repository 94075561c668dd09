"""The loop over tiles, as a task: one compiled function for each (product, epilogue, target, tile shape).

The last tile begins early enough to end with the last row, so some rows are computed twice, with the same result. Where
there are fewer rows than the tile has, it still computes its full height, reading the padding entries of the offset
tables: `conv.operation` repeats the last row there.

Order of the loops: blocks of `block_rows` lhs rows that stay in the second-level cache, then panels of the rhs, then
tiles. A team splits whichever of rows and panels divides more evenly; on a tie the panels where the weights are more
bytes than the rows (`split_panels`).
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.callers import word
from qbench.kernels.jit import inlined
from qbench.kernels.tiles.fields import FIELDS
from qbench.kernels.tiles.targets import TileShape, target_of
from qbench.kernels.tiles.tile import tile

PIXELS, CHANNELS, BLOCK, SPLIT_PANELS = (
    FIELDS.index(name) for name in ("pixels", "channels", "block_rows", "split_panels")
)


@inlined
def slowest(count: int, parts: int) -> float:
    """Return how much longer the slowest of `parts` shares of `count` takes than an even share."""
    return (count + parts - 1) // parts * parts / count


def tiles_of(product: str, epilogue: str, target: str, *numbers: int) -> Any:
    """Return the task of a product, to be compiled.

    Args:
        product: name of a `qbench.kernels.product.Product`, e.g. `u8_s8`.
        epilogue: text of a `qbench.kernels.epilogue.Epilogue`, e.g. `u8+residual`.
        target: name of an instruction set in `targets.TARGETS`.
        numbers: the fields of the `TileShape`.
    """
    tile_shape = TileShape(*numbers)
    lanes, dot = target_of(target).lanes, target_of(target).dot
    rows, width, shape = tile_shape.rows, tile_shape.width(lanes), str(tile_shape)

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        m_end, panels = images * word(arguments, PIXELS), word(arguments, CHANNELS) // width  # type: ignore[call-arg]
        tiles, block = (m_end + rows - 1) // rows, word(arguments, BLOCK)
        m, first, last = 0, 0, panels
        if parts > 1:
            by_rows, by_panels = slowest(tiles, parts), slowest(panels, parts)
            if by_panels < by_rows or (by_panels == by_rows and word(arguments, SPLIT_PANELS)):
                first, last = panels * part // parts, panels * (part + 1) // parts
            else:
                m, m_end = tiles * part // parts * rows, min(m_end, tiles * (part + 1) // parts * rows)
        while m < m_end:
            stop = min(m + block, m_end)
            for panel in range(first, last):
                for at in range(m, stop, rows):
                    row = max(min(at, m_end - rows), 0)
                    tile(arguments, (row, panel), product, dot, lanes, shape, epilogue)
            m = stop

    return run
