"""The variants of tiled operations and the one function that chooses between them."""

from __future__ import annotations

from qbench.errors import QBenchError, suggest
from qbench.kernels.isa import missing
from qbench.kernels.product import Product
from qbench.kernels.tiles.emitter import NARROW
from qbench.kernels.tiles.panels import Tiling
from qbench.kernels.tiles.products import multiplier_of
from qbench.kernels.tiles.targets import TARGETS, available, target_of

PORTABLE = "portable"
NAMES = (PORTABLE, *(target.name for target in TARGETS))
"""All variants, worst to best."""


def choose(variant: str = "auto") -> str:
    """Return the variant to run: the best of this machine for `auto`, else the pinned one.

    Raises:
        QBenchError: the name is unknown, or this machine lacks a feature that it needs.
    """
    if variant == "auto":
        return available()[-1].name if available() else PORTABLE
    if variant not in NAMES:
        raise QBenchError(f"unknown kernel variant '{variant}'{suggest(variant, NAMES)}")
    reason = unavailable(variant)
    if reason is not None:
        raise QBenchError(f"kernel variant '{variant}' cannot run on this machine: {reason}")
    return variant


def unavailable(variant: str) -> str | None:
    """Return why `variant` cannot run here, or None."""
    return None if variant == PORTABLE else missing(target_of(variant).requires)


def dot_of(variant: str) -> str:
    """Return how a variant multiplies four bytes, "" for the portable one."""
    return "" if variant == PORTABLE else target_of(variant).dot


def lanes_of(variant: str) -> int:
    """Return the 32-bit lanes of a tuned variant's vectors."""
    return target_of(variant).lanes


def tiling(
    variant: str, product: Product, channels: int, channels_in: int, *, group_size: int = 0, sums: bool = False
) -> Tiling:
    """Return the panels of the packed rhs.

    Two vectors where the channels fill them. Where they do not (16 channels, 48 ...) one vector would need a broadcast
    for every dot instruction, and loads would bind at 60 % of the limit [measured]: two lanes per channel halve them.

    Args:
        variant: a name of `NAMES`.
        product: the product.
        channels: output channels.
        channels_in: channels of the lhs.
        group_size: numbers that share a scale, 0 when not grouped.
        sums: whether the rows' sums are wanted too, which padding k-groups would spoil.
    """
    if variant == PORTABLE:
        return Tiling(1, 1)
    lanes, facts = lanes_of(variant), multiplier_of(product)
    if lanes == NARROW:
        ((vectors, _),) = target_of(variant).panels(spreads=False)
        return Tiling(vectors * lanes, vectors)
    if -(-channels // lanes) % 2 == 0:
        return Tiling(2 * lanes, 2)
    numbers = 2 if facts.is_float else 8
    pairs = channels_in // numbers
    wide = lanes == 16 and facts.spreads and channels_in % numbers == 0
    wide = wide and group_size % (8 * facts.planes) == 0 and not (facts.planes > 1 and sums)
    return Tiling(lanes, 2, 2) if wide and not (product.lacks_zero and pairs % 2) else Tiling(lanes, 1)
