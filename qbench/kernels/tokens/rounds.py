"""How attention is cut: the tokens of a round, the kinds of products, the scratch that a head takes; numbers of exp."""

from __future__ import annotations

from qbench.kernels.tiles.targets import target_of
from qbench.kernels.variants import PORTABLE as PORTABLE_VARIANT

LOG2_E, LN2_HIGH, LN2_LOW = 1.44269504, 0.693359375, 2.12194440e-4
EXP_TERMS = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
"""exp(r) = 1 + r + r * r * p(r) for |r| <= ln(2) / 2, highest term first (Cephes, expf)."""
LANES = 16
ROWS, COLUMNS = 8, 32
"""Query tokens of a round; key tokens are padded to whole `COLUMNS`."""
PORTABLE, AVX2, AVX512 = 0, 1, 2
"""Kinds of products: plain loops, blocks of 4 rows by 2 vectors of 8 lanes, blocks of 8 by 2 of 16 lanes."""
VNNI256, VNNI = 3, 4
"""Kinds of products of codes only: the last two's blocks, by an instruction that sums four products."""


def attention_kind(variant: str) -> int:
    """Return the kind of products of a kernel variant."""
    if variant == PORTABLE_VARIANT:
        return PORTABLE
    return AVX512 if target_of(variant).lanes == LANES else AVX2


def room_of(others: int, depth: int) -> int:
    """Return the float32 numbers of scratch for a unit: keys across; scores, mixtures and sums of `ROWS` tokens."""
    padded = (others + COLUMNS - 1) // COLUMNS * COLUMNS
    return depth * padded + ROWS * padded + ROWS * depth + ROWS


def integer_kind(variant: str) -> int:
    """Return the kind of products of codes of a kernel variant; on other machines than x86 they are plain loops."""
    if variant == PORTABLE_VARIANT or not variant.startswith("x86"):
        return PORTABLE
    target = target_of(variant)
    wide, dots = target.lanes == LANES, target.dot == "vnni"
    return (VNNI if dots else AVX512) if wide else (VNNI256 if dots else AVX2)


def words_of(others: int, depth: int) -> int:
    """Return the words of scratch for a unit on codes.

    Keys and values packed; what scores are less by; masks, scores, weights, mixtures and totals of `ROWS` tokens.
    """
    padded, wide = (others + COLUMNS - 1) // COLUMNS * COLUMNS, (depth + LANES - 1) // LANES * LANES
    packed = depth // 4 * padded + padded // 4 * wide
    return packed + padded + 2 * ROWS * padded + ROWS * padded // 4 + ROWS * wide + ROWS
