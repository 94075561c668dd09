"""How attention is cut: the tokens of a round, the kinds of products, the scratch that a head takes."""

from __future__ import annotations

from qbench.kernels.tiles.targets import target_of
from qbench.kernels.variants import PORTABLE as PORTABLE_VARIANT

LANES = 16
ROWS, COLUMNS = 8, 32
"""Query tokens of a round; key tokens are padded to whole `COLUMNS`."""
PORTABLE, AVX2, AVX512 = 0, 1, 2
"""Kinds of products: plain loops, blocks of 4 rows by 2 vectors of 8 lanes, blocks of 8 by 2 of 16 lanes."""


def attention_kind(variant: str) -> int:
    """Return the kind of products of a kernel variant."""
    if variant == PORTABLE_VARIANT:
        return PORTABLE
    return AVX512 if target_of(variant).lanes == LANES else AVX2


def room_of(others: int, depth: int) -> int:
    """Return the float32 numbers of scratch for a unit: keys across; scores, mixtures and sums of `ROWS` tokens."""
    padded = (others + COLUMNS - 1) // COLUMNS * COLUMNS
    return depth * padded + ROWS * padded + ROWS * depth + ROWS
