"""Winograd's convolutions against the law of all convolutions: odd shapes, worst-case values, guards."""

from __future__ import annotations

from qbench.kernels.conv.check import Case, Shape, case_of, compare, kinds_of
from qbench.kernels.conv.reference import Window
from qbench.kernels.layout import padded_channels
from qbench.kernels.product import U8_S8
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.variants import choose
from qbench.kernels.winograd.fields import UNPACKED

CASES = (
    *(case_of("u8_s8", e) for e in ("s32", "u8", "u8+residual", "f32", "u8+fixed", "u8+wide", "u8+residual+floor")),
    *(case_of(f"u8_{rhs}", "u8") for rhs in ("s1", "s2", "s3", "s4", "s5", "s6", "s7", "t1", "t4")),
    *(case_of("s8_s8", e) for e in ("s32", "u8")),
    case_of("s8_s4", "u8"),
)
SHAPES = (
    Shape(1, 7, 9, 96, 32, Window((3, 3), (1, 1), (1, 1, 1, 1))),
    Shape(1, 4, 4, 32, 16, Window((3, 3), (1, 1), (1, 1, 1, 1))),
    Shape(2, 5, 6, 112, 33, Window((3, 3), (1, 1), (2, 1, 0, 3))),
    Shape(1, 14, 13, 48, 7, Window((3, 3))),
    Shape(7, 4, 5, 20, 48, Window((3, 3), (1, 1), (1, 1, 1, 1))),
)
"""Depths up to the largest, 9 * 112, whose sums of 255 * -128 are told apart; tiles that overlap, and few and many."""


def check_winograd(case: Case, variant: str, shapes: tuple[Shape, ...] | None = None) -> tuple[int, str]:
    """Return the number of comparisons and the first mismatch, or ''."""
    count = 0
    for shape in _shapes_of(case, variant) if shapes is None else shapes:
        for values, pad in kinds_of(case, variant, shape):
            count += 1
            detail = compare(case, variant, shape, values, pad, algorithm="winograd")
            if detail:
                return count, f"{shape} {values} padded with {pad}: {detail}"
    return count, ""


def _shapes_of(case: Case, variant: str) -> tuple[Shape, ...]:
    """Return the shapes to compare: those that the case admits, fewer where each is compiled for little."""
    admitted = tuple(shape for shape in SHAPES if admits(case, shape))
    leads = case.product == U8_S8 and str(case.epilogue) in ("u8", "u8+residual", "s32")
    return admitted if variant == choose() and leads else admitted[: 2 if variant == choose() else 1]


def admits(case: Case, shape: Shape) -> bool:
    """Whether whole sets of packed weights hold the channels, and nothing pads those that have no zero."""
    facts, words = multiplier_of(case.product, UNPACKED), padded_channels(shape.channels)
    return words % (4 * facts.planes) == 0 and (words == shape.channels or not facts.has_table)
