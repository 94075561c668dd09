"""What becomes of a product's sums, as types; their text is a literal of compiled kernels, and read nowhere else.

`<kind>` (`s32`, `u8` or `f32`), then any of these words, each behind a `+`, in this order:

    asked for   residual  grouped  floor  sum
    found       brief  fixed  wide  split  widened  ranged

What each does is stated in `qbench.kernels.tiles.tile`. Those that are found are added where weights, parameters and
layouts are bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import numpy as np

Kind = Literal["s32", "u8", "f32"]
DTYPES: dict[Kind, type[np.generic]] = {"u8": np.uint8, "f32": np.float32, "s32": np.int32}
"""What each kind of results is stored as."""


@dataclass(frozen=True, slots=True)
class Words:
    """What an epilogue is asked for.

    Args:
        residual: whether a tensor is added last.
        grouped: whether groups of the depth have scales of their own.
        floor: whether codes are rounded down, not half to even.
        sum: whether the rows' sums are needed, for weights with a zero point.
    """

    residual: bool = False
    grouped: bool = False
    floor: bool = False
    sum: bool = False

    def __str__(self) -> str:
        """Return the words, a `+` before each."""
        return "".join(f"+{word}" for word in ASKED if getattr(self, word))


@dataclass(frozen=True, slots=True)
class Epilogue:
    """An epilogue.

    Args:
        kind: what is stored.
        words: what is asked for.
        brief: whether the scales of groups are bfloat16.
        fixed: whether codes are computed in whole numbers.
        wide: whether results may leave int32 before they are clamped.
        split: whether each panel has an order of k-groups of its own, those first that `pairs` may multiply.
        widened: whether `pairs` may multiply none.
        ranged: whether each tile has a range of k-groups outside padding.
    """

    kind: Kind
    words: Words = Words()
    brief: bool = False
    fixed: bool = False
    wide: bool = False
    split: bool = False
    widened: bool = False
    ranged: bool = False

    def __str__(self) -> str:
        """Return the literal, e.g. `u8+residual+wide`."""
        return f"{self.kind}{self.words}" + "".join(f"+{word}" for word in FOUND if getattr(self, word))

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked for but the kind."""
        return self.words == Words()

    @property
    def asked(self) -> Epilogue:
        """The epilogue without what binding finds."""
        return Epilogue(self.kind, self.words)

    @property
    def item_bytes(self) -> int:
        """Bytes of a result."""
        return 1 if self.kind == "u8" else 4

    @property
    def dtype(self) -> type[np.generic]:
        """What results are stored as."""
        return DTYPES[self.kind]

    def without_weights(self) -> Epilogue:
        """Return the epilogue without what hangs on what weights are and where padding lies."""
        return replace(self, split=False, widened=False, ranged=False)


ASKED = ("residual", "grouped", "floor", "sum")
FOUND = ("brief", "fixed", "wide", "split", "widened", "ranged")


@cache
def parse_epilogue(text: str) -> Epilogue:
    """Return the epilogue of a text such as `u8+residual`, its words in any order; raise ValueError for another."""
    kind, *words = text.split("+")
    unknown = sorted({*words} - {*ASKED, *FOUND}) or sorted({kind} - {*get_args(Kind)})
    if unknown or len(set(words)) < len(words):
        raise ValueError(f"epilogue '{text}': expected s32, u8 or f32, then each once of {', '.join((*ASKED, *FOUND))}")
    asked = Words(**{word: True for word in words if word in ASKED})
    return Epilogue(kind, asked, **{word: True for word in words if word in FOUND})  # type: ignore[arg-type]
