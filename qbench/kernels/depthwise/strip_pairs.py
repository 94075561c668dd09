"""Strips without a dot instruction of bytes: codes widened to 16 bits, two taps of a channel in every lane.

Bytes of two places are interleaved and widened with zeros, both by unpacking, so that channels come out in their order.
`vpmaddwd` then sums two products exactly (255 x 128 x 2); `vpmaddubsw`, twice as many, would saturate.

A block goes by halves, two vectors of sums per pixel: sixteen registers hold three windows of 3 or five of 5 columns
that way. Codes of the upper half wait in `out` for those of the lower.
"""

from __future__ import annotations

from llvmlite import ir

from qbench.kernels.depthwise.fields import LIMITS
from qbench.kernels.depthwise.strip_parts import Strip
from qbench.kernels.depthwise.taps import Tap, pairs_of, sources_of
from qbench.kernels.tiles.dots import multiply_add_pairs
from qbench.kernels.tiles.emitter import I8, I64, Value


class PairStrip(Strip):
    """Emits one strip, one half of a block's vectors after the other."""

    def emit(self) -> None:
        """Go over both halves of the block."""
        for upper in (True, False):
            self._half(upper=upper)

    def _half(self, *, upper: bool) -> None:
        """Go over the pairs of places; finish an output pixel with the last that it sees."""
        geometry = (self.pixels, self.kh, self.kw, self.step, self.dilation)
        sources, numbers = sources_of(*geometry), {pair: i for i, pair in enumerate(pairs_of(*geometry))}
        last = {pixel: source for source in sources for pixel, _ in source.uses}
        halves = (2, 3) if upper else (0, 1)
        sums: dict[int, list[Value]] = {}
        self._columns, self._pixels = ([self._place(name)] for name in ("lhs", "out"))
        for source in sources:
            self._ordered()
            codes = self._widened_pairs(*source.places, upper=upper)
            for pixel, pair in source.uses:
                begun = sums.get(pixel) or [self.channel("correction", j, self.e.ints) for j in halves]
                products = (
                    multiply_add_pairs(self.e, x, self.weights(numbers[pair], j))
                    for x, j in zip(codes, halves, strict=True)
                )
                sums[pixel] = [self._sum(acc, product) for acc, product in zip(begun, products, strict=True)]
                if last[pixel] is source:
                    done = [self.rounded(acc, j) for acc, j in zip(sums.pop(pixel), halves, strict=True)]
                    self._finish(pixel, done, upper=upper)

    def _place(self, name: str) -> Value:
        """Return the strip's address in a buffer, another for LLVM at each call: it would keep those of one half."""
        kind = ir.FunctionType(I8.as_pointer(), [I8.as_pointer()])
        place = self.b.gep(self.v[name], [self.v[f"{name}_at"]])
        return self.b.asm(kind, "", "=r,0", [place], side_effect=True)

    def _sum(self, acc: Value, product: Value) -> Value:
        """Add, here: LLVM would sum products first, and hold twice as many registers."""
        kind = ir.FunctionType(acc.type, [acc.type])
        return self.b.asm(kind, "", "=x,0", [self.b.add(acc, product)], side_effect=False)

    def _ordered(self) -> None:
        """Load nothing of what follows before what precedes."""
        self.b.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], side_effect=True)

    def _row(self, place: Tap) -> Value:
        """Load the channels of one place; zeros where there is none."""
        if place is None:
            return self.e.constant(0, self.e.bytes)
        row, column = place
        while len(self._columns) <= column:
            self._columns.append(self.b.gep(self._columns[-1], [self.v["lhs_pixel"]]))
        skip = self.b.mul(self.v["lhs_tap_row"], ir.Constant(I64, row))
        return self.widened(self.e.load(self._columns[column], skip, ir.VectorType(I8, self.taken)))

    def _limit(self, number: int) -> Value:
        """Load the lower or the upper limit of codes: registers are wanted for sums."""
        return self.e.load(self.v[LIMITS], ir.Constant(I64, number * self.full), self.e.bytes)

    def _widened_pairs(self, one: Tap, two: Tap, *, upper: bool) -> list[Value]:
        """Return two vectors of a quarter of the channels each, the codes of both places in every lane."""
        zeros = self.e.constant(0, self.e.bytes)
        mixed = self.unpack(self._row(one), self._row(two), 1, high=upper)
        return [self.unpack(mixed, zeros, 1, high=high) for high in (False, True)]

    def _finish(self, pixel: int, rounded: list[Value], *, upper: bool) -> None:
        """Saturate half of a pixel's codes; keep the upper, clamp and store the lower with them."""
        while len(self._pixels) <= pixel:
            self._pixels.append(self.b.gep(self._pixels[-1], [self.v["out_pixel"]]))
        shorts, none = self.e.saturated_shorts(*rounded), ir.Constant(I64, 0)
        codes = self.e.saturated_codes(shorts, shorts)
        if not upper:
            kept = self.e.load(self._pixels[pixel], none, ir.VectorType(I8, self.taken))
            codes = self.unpack(codes, self.widened(kept), 8, high=False)
            low, high = (self._limit(number) for number in range(2))
            codes = self.e.overloaded("llvm.umin", self.e.overloaded("llvm.umax", codes, low), high)
        self.e.store(self.taken_of(codes), self._pixels[pixel], none)
