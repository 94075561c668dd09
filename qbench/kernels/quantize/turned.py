"""Sixteen pixels between NHWC and ONNX's order (n, c, h, w), four channels or sixteen at a time, in vectors.

On the side of ONNX the pixels of a block lie side by side in every plane, also where a row ends between them. On the
other side each has an address of its own, behind a row's end beyond the border: `walk` is (words, left, width, gap),
items from pixel to pixel, pixels from the block's first to the end of its row, pixels of a row, items from the last
one's neighbour to the next row. The loops over blocks are in `planes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from qbench.kernels.blocks import LANES, Block, emitted, literals
from qbench.kernels.tiles.emitter import F32, I8, I32, I64, Value

PIXELS, QUAD = LANES, 4
"""Pixels of a block; channels whose codes are one word, or whose reals are 16 bytes."""
_QUADS = range(0, PIXELS, QUAD)
_LOW, _HIGH = (0, 4, 1, 5), (2, 6, 3, 7)
_FIRST, _LAST = (0, 1, 4, 5), (2, 3, 6, 7)


@intrinsic(prefer_literal=True)
def planes_of_codes(
    typingctx: Any, a: Any, at: Any, walk: Any, out: Any, to: Any, span: Any, numbers: Any, group: Any
) -> Any:  # fmt: skip
    """Write the reals of codes to planes; `span` is (plane, first, end), of channels in steps of `group`, 4 or 16."""
    found = literals(group)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        places, plane = _places(block), block.item(5, 0)
        zero_point, scale = (e.splat(block.item(6, i)) for i in range(2))

        def channels(c: Value, state: list[Value]) -> Sequence[Value]:
            for quad, words in enumerate(_words_of_pixels(block, [b.add(place, c) for place in places], found[0])):
                for i in range(QUAD):
                    code = b.and_(b.lshr(words, e.constant(8 * i, e.ints)), e.constant(255, e.ints))
                    real = b.fmul(b.fsub(b.uitofp(code, e.floats), zero_point), scale)
                    _store_plane(block, real, b.add(c, ir.Constant(I64, QUAD * quad + i)), plane)
            return ()

        e.loop(block.item(5, 1), block.item(5, 2), found[0], (), channels)

    kinds = (a, types.int64, walk, out, types.int64, span, numbers, group)
    return types.void(*kinds), emitted(body)


@intrinsic
def planes_of_reals(typingctx: Any, a: Any, at: Any, walk: Any, out: Any, to: Any, span: Any) -> Any:
    """Write reals to planes; `span` is (plane, first, end) of channels in steps of 4."""

    def body(block: Block) -> None:
        b, e = block.b, block.e
        places, plane = _places(block), block.item(5, 0)

        def channels(c: Value, state: list[Value]) -> Sequence[Value]:
            kind = ir.VectorType(F32, QUAD)
            pixels = [block.load(block.address(0, b.add(place, c)), kind) for place in places]
            for i, reals in enumerate(_turned(block, [block.joined(pixels[j::QUAD]) for j in range(QUAD)])):
                _store_plane(block, reals, b.add(c, ir.Constant(I64, i)), plane)
            return ()

        e.loop(block.item(5, 1), block.item(5, 2), QUAD, (), channels)

    return types.void(a, types.int64, walk, out, types.int64, span), emitted(body)


@intrinsic(prefer_literal=True)
def codes_of_planes(
    typingctx: Any, out: Any, to: Any, walk: Any, x: Any, at: Any, span: Any, numbers: Any, group: Any, floor: Any
) -> Any:  # fmt: skip
    """Write the codes of planes; `span` is (plane, first, end), of channels in steps of `group`, 4 or 16."""
    found = literals(group, floor)
    if found is None:
        return None

    def body(block: Block) -> None:
        b, e = block.b, block.e
        places, plane = _places(block), block.item(5, 0)
        inverse_scale, offset, high = (e.splat(block.item(6, i)) for i in range(3))

        def word(c: Value) -> Value:
            """Return the codes of four channels, a word for each pixel."""
            total = None
            for i in range(QUAD):
                real = _load_plane(block, b.add(c, ir.Constant(I64, i)), plane)
                t = b.fadd(b.fmul(real, inverse_scale), offset)
                clamped = e.clamped(t, e.constant(0, e.floats), high)
                whole = e.overloaded("llvm.floor" if found[1] else "llvm.rint", clamped)
                code = b.shl(b.fptosi(whole, e.ints), e.constant(8 * i, e.ints))
                total = code if total is None else b.or_(total, code)
            return total

        def channels(c: Value, state: list[Value]) -> Sequence[Value]:
            words = [word(b.add(c, ir.Constant(I64, quad))) for quad in range(0, found[0], QUAD)]
            for place, codes in zip(places, _pixels_of_words(block, words), strict=True):
                block.store(codes, block.address(0, b.add(place, c)), streaming=False)
            return ()

        e.loop(block.item(5, 1), block.item(5, 2), found[0], (), channels)

    kinds = (out, types.int64, walk, x, types.int64, span, numbers, group, floor)
    return types.void(*kinds), emitted(body)


@intrinsic
def reals_of_planes(typingctx: Any, out: Any, to: Any, walk: Any, x: Any, at: Any, span: Any) -> Any:
    """Write planes as reals; `span` is (plane, first, end) of channels in steps of 4."""

    def body(block: Block) -> None:
        b, e = block.b, block.e
        places, plane = _places(block), block.item(5, 0)

        def channels(c: Value, state: list[Value]) -> Sequence[Value]:
            rows = [_load_plane(block, b.add(c, ir.Constant(I64, i)), plane) for i in range(QUAD)]
            for place, pixel in zip(places, _in_pixels(block, _turned(block, rows)), strict=True):
                block.store(pixel, block.address(0, b.add(place, c)), streaming=False)
            return ()

        e.loop(block.item(5, 1), block.item(5, 2), QUAD, (), channels)

    return types.void(out, types.int64, walk, x, types.int64, span), emitted(body)


def _places(block: Block) -> list[Value]:
    """Return where each pixel of a block begins: items from argument 1 on, by the walk, argument 2."""
    b, place = block.b, block.argument(1)
    words, left, width, gap = (block.item(2, i) for i in range(4))
    places = [place]
    for _ in range(PIXELS - 1):
        left = b.sub(left, ir.Constant(I64, 1))
        ends = b.icmp_signed("==", left, ir.Constant(I64, 0))
        step = b.add(words, b.select(ends, gap, ir.Constant(I64, 0)))
        left, place = b.select(ends, width, left), b.add(place, step)
        places.append(place)
    return places


def _load_plane(block: Block, channel: Value, plane: Value) -> Value:
    """Load a block's pixels of a channel: argument 3 from item argument 4 on."""
    b = block.b
    return block.load(block.address(3, b.add(block.argument(4), b.mul(channel, plane))), block.e.floats)


def _store_plane(block: Block, reals: Value, channel: Value, plane: Value) -> None:
    b = block.b
    block.store(reals, block.address(3, b.add(block.argument(4), b.mul(channel, plane))), streaming=False)


def _words_of_pixels(block: Block, places: Sequence[Value], group: int) -> list[Value]:
    """Load `group` codes of each pixel; return vectors of words, one of each pixel, four channels each."""
    if group == QUAD:
        words = ir.Constant(block.e.ints, ir.Undefined)
        for i, place in enumerate(places):
            words = block.b.insert_element(words, block.load(block.address(0, place), I32), ir.Constant(I32, i))
        return [words]
    kind = ir.VectorType(I32, QUAD)
    pixels = [block.load(block.address(0, place), kind) for place in places]
    return _turned(block, [block.joined(pixels[j::QUAD]) for j in range(QUAD)])


def _pixels_of_words(block: Block, words: Sequence[Value]) -> list[Value]:
    """Return the codes of each pixel, given vectors of words, one of each pixel."""
    b = block.b
    if len(words) == 1:
        kind = ir.VectorType(I8, QUAD)
        return [b.bitcast(b.extract_element(words[0], ir.Constant(I32, i)), kind) for i in range(PIXELS)]
    return _in_pixels(block, _turned(block, words))


def _turned(block: Block, four: Sequence[Value]) -> list[Value]:
    """Return four vectors with the squares of 4 x 4 numbers in every 128 bits of them turned."""

    def mixed(order: tuple[int, ...]) -> Callable[[Value, Value], Value]:
        places = [first + i % QUAD + (LANES if i >= QUAD else 0) for first in _QUADS for i in order]
        mask = ir.Constant(ir.VectorType(I32, LANES), places)
        return lambda one, other: block.b.shuffle_vector(one, other, mask)

    halves = [mixed(order)(four[i], four[i + 1]) for order in (_LOW, _HIGH) for i in (0, 2)]
    return [mixed(order)(halves[i], halves[i + 1]) for i in (0, 2) for order in (_FIRST, _LAST)]


def _in_pixels(block: Block, four: Sequence[Value]) -> list[Value]:
    """Return the 128 bits of each pixel of four vectors, of which each holds every fourth."""
    return [block.shuffled(four[i % QUAD], [i // QUAD * QUAD + k for k in range(QUAD)]) for i in range(PIXELS)]
