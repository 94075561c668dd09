"""What every multiplier of `products` says of itself, and the three steps that tiles ask it for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qbench.kernels.tiles.emitter import Emitter, Value

Vectors = tuple[Value, ...]


@dataclass(frozen=True)
class Multiplier:
    """How the codes of one product are multiplied and summed by one instruction set: the parts that all share."""

    dot: str  # "vnni", "pairs", "widen", "sdot", "usdot" or "": how four bytes are multiplied and summed
    planes: ClassVar[int] = 1
    vectors: ClassVar[int] = 1
    lhs_words: ClassVar[int] = 1
    multiple: ClassVar[int] = 1  # acc holds this many times the product
    count_weight: ClassVar[int] = 1  # dot = correction + count_weight * acc
    is_float: ClassVar[bool] = False
    is_scaled: ClassVar[bool] = True
    has_table: ClassVar[bool] = False
    spreads: ClassVar[bool] = True
    short_steps: ClassVar[int] = 1  # k-groups whose products of two neighbours sum to 16 bits without saturating

    @property
    def corrects_groups(self) -> bool:
        """Whether groups with scales of their own have corrections: what a dot of signed bytes takes off the lhs."""
        return self.dot == "sdot"

    def lhs(self, e: Emitter, row: Value, offset: Value, spread: int = 1) -> Vectors:
        """Load one k-group of a row and make it ready for `step`."""
        raise NotImplementedError

    def rhs(self, e: Emitter, packed: Vectors, plane: int, table: Value | None = None) -> Vectors:
        """Make one k-group of the weights ready from its packed vectors."""
        raise NotImplementedError

    def step(self, e: Emitter, acc: Value, x: Vectors, w: Vectors) -> Value:
        """Return acc + the product of one k-group, exact, never saturating."""
        raise NotImplementedError

    def together(self, lanes: int, k_groups: int) -> int:
        """Return the k-groups that `steps` takes at once where an iteration has so many."""
        return 1

    def parts(self, lanes: int, together: int) -> int:
        """Return the values in which one sum is kept between `steps`; all start at zero."""
        return 1

    def steps(self, e: Emitter, state: Vectors, xs: Sequence[Vectors], ws: Sequence[Vectors]) -> Vectors:
        """Return the parts of a sum after the products of the k-groups that are taken at once."""
        (acc,), (x,), (w,) = state, xs, ws
        return (self.step(e, acc, x, w),)

    def total(self, e: Emitter, state: Vectors) -> Value:
        """Return what the parts of a sum stand for, `excess` too large for every k-group."""
        return state[0]

    def excess(self, lanes: int) -> int:
        """Return what `steps` counts too much a k-group."""
        return 0
