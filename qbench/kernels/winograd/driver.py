"""The loop over blocks of tiles, as a task.

A block's codes are transformed once; then a panel of weights at a time; then, some tiles at a time, so that all stays
in the second-level cache, come the 36 products and the pixels. A team splits whichever of tiles and panels makes its
slowest thread the faster: where panels are split each thread transforms all codes, where tiles are all weights.
"""

from __future__ import annotations

from typing import Any

from qbench.kernels.callers import word
from qbench.kernels.jit import inlined
from qbench.kernels.product import parse_product
from qbench.kernels.tiles.driver import slowest
from qbench.kernels.tiles.targets import TileShape, target_of
from qbench.kernels.winograd import transforms
from qbench.kernels.winograd.emit import multiply, transform_codes, transform_sums, transform_weights
from qbench.kernels.winograd.fields import FIELDS, OF_KINDS
from qbench.kernels.winograd.transforms import FOUR, POSITIONS, SIDE, THREE

UNITS, GROUP, BLOCK, TILES, CHANNELS, AT_ONCE, OF_KIND = (
    FIELDS.index(name) for name in ("units", "group", "block", "tiles", "channels", "rows_at_once", "tiles_0")
)
KINDS, (LEFT_OUT,) = len(transforms.KINDS), set(FOUR.positions) - set(THREE.positions)
ROW, WORDS = OF_KINDS.index("row"), len(OF_KINDS)
CODES_AGAIN, WEIGHTS_AGAIN = 5.0, 2.4
"""What every thread's transforming all codes costs, in products of a channel, and all weights, in those of a tile."""


@inlined
def share(count: int, most: int, group: int) -> int:
    """Return the units of the next block of `count`: blocks of at most `most`, about alike, of whole groups."""
    blocks = (count + most - 1) // most
    return min(count, ((count + blocks - 1) // blocks + group - 1) // group * group)


@inlined
def has(kind: int, position: int) -> bool:
    """Return whether tiles of a kind have products at a position: short ones have none at the point -2."""
    return not ((kind >= 2 and position // SIDE == LEFT_OUT) or (kind % 2 == 1 and position % SIDE == LEFT_OUT))


def blocks_of(product: str, epilogue: str, target: str, kinds: str, width: int, *numbers: int) -> Any:
    """Return the task of a convolution, to be compiled.

    Args:
        product: name of a `qbench.kernels.product.Product`.
        epilogue: text of a `qbench.kernels.epilogue.Epilogue`.
        target: name of an instruction set in `targets.TARGETS`.
        kinds: digits of the `transforms.KINDS` that occur.
        width: channels that are transformed at a time.
        numbers: the fields of the products' `TileShape`.
    """
    tile_shape = TileShape(*numbers)
    lanes, dot = target_of(target).lanes, target_of(target).dot
    rows, vectors, shape = tile_shape.rows, tile_shape.vectors, str(tile_shape)
    columns, signed = lanes * vectors, int(parse_product(product).is_signed)

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        end, panels = images * word(arguments, UNITS), word(arguments, CHANNELS) // columns  # type: ignore[call-arg]
        block, group, at_once = word(arguments, BLOCK), word(arguments, GROUP), word(arguments, AT_ONCE)
        groups = (end + group - 1) // group
        begin, first, last = 0, 0, panels
        if parts > 1:
            by_panels = slowest(panels, parts) + CODES_AGAIN / (panels * columns)
            if by_panels < slowest(groups, parts) + WEIGHTS_AGAIN / (end * word(arguments, TILES)):
                first, last = panels * part // parts, panels * (part + 1) // parts
            else:
                begin, end = groups * part // parts * group, min(end, groups * (part + 1) // parts * group)
        while begin < end:
            count = share(end - begin, block, group)
            for kind in range(KINDS):
                tiles = word(arguments, OF_KIND + WORDS * kind)
                for row in range(count * tiles):
                    transform_codes(arguments, (part, begin * tiles + row, row, kind), kinds, width, signed)
            for panel in range(first, last):
                transform_weights(arguments, (part, panel), product, lanes, vectors)
                for kind in range(KINDS):
                    tiles = word(arguments, OF_KIND + WORDS * kind)
                    before = word(arguments, OF_KIND + WORDS * kind + ROW)
                    for at in range(0, count * tiles, at_once):
                        taken = min(at_once, count * tiles - at)
                        for position in range(POSITIONS):
                            if has(kind, position):
                                for row in range(0, taken, rows):
                                    multiply(arguments, (part, position, row, before + at), dot, lanes, shape)
                        for row in range(taken):
                            for vector in range(vectors):
                                place = (part, panel, begin * tiles + at + row, row, vector, kind)
                                transform_sums(arguments, place, kinds, lanes, vectors, epilogue)
            begin += count

    return run
