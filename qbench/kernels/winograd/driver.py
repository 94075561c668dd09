"""The loop over blocks of tiles, as a task.

A block's codes are transformed once; then a panel of weights at a time; then, some tiles at a time, so that all stays
in the second-level cache, come the 36 products and the pixels. A team splits whichever of tiles and panels makes its
slowest thread the faster: where panels are split each thread transforms all codes, where tiles are all weights.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.callers import word
from qbench.kernels.tiles.driver import slowest
from qbench.kernels.tiles.targets import TileShape, target_of
from qbench.kernels.winograd.emit import multiply, transform_codes, transform_sums, transform_weights
from qbench.kernels.winograd.fields import FIELDS
from qbench.kernels.winograd.transforms import POSITIONS

TILES, CHANNELS, BLOCK, AT_ONCE = (FIELDS.index(name) for name in ("tiles", "channels", "block", "rows_at_once"))
CODES_AGAIN, WEIGHTS_AGAIN = 5.0, 2.4
"""What every thread's transforming all codes costs, in products of a channel, and all weights, in those of a tile."""


def blocks_of(product: str, epilogue: str, target: str, width: int, *numbers: int) -> Any:
    """Return the task of a convolution, to be compiled.

    Args:
        product: as `tiles.products` names them.
        epilogue: as `tiles.tile` names them.
        target: name of an instruction set in `targets.TARGETS`.
        width: channels that are transformed at a time.
        numbers: the fields of the products' `TileShape`.
    """
    tile_shape = TileShape(*numbers)
    lanes, dot = target_of(target).lanes, target_of(target).dot
    rows, vectors, shape = tile_shape.rows, tile_shape.vectors, str(tile_shape)
    columns, signed = lanes * vectors, int(product[0] == "s")

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        end, panels = images * word(arguments, TILES), word(arguments, CHANNELS) // columns  # type: ignore[call-arg]
        block, at_once = word(arguments, BLOCK), word(arguments, AT_ONCE)
        groups = (end + rows - 1) // rows
        begin, first, last = 0, 0, panels
        if parts > 1:
            by_panels = slowest(panels, parts) + CODES_AGAIN / (panels * columns)
            if by_panels < slowest(groups, parts) + WEIGHTS_AGAIN / end:
                first, last = panels * part // parts, panels * (part + 1) // parts
            else:
                begin, end = groups * part // parts * rows, min(end, groups * (part + 1) // parts * rows)
        while begin < end:
            count = min(block, end - begin)
            for row in range(count):
                transform_codes(arguments, (part, begin + row, row), width, signed)
            for panel in range(first, last):
                transform_weights(arguments, (part, panel), product, lanes, vectors)
                for at in range(0, count, at_once):
                    taken = min(at_once, count - at)
                    for position in range(POSITIONS):
                        for row in range(0, taken, rows):
                            multiply(arguments, (part, position, row, at), dot, lanes, shape)
                    for row in range(taken):
                        for vector in range(vectors):
                            place = (part, panel, begin + at + row, row, vector)
                            transform_sums(arguments, place, lanes, vectors, epilogue)
            begin += count

    return run
