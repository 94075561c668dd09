"""What a quantized network looks like inside: its graph, and the numbers of every layer beside what its codes hold.

It is taken when the network is quantized, and kept in `quantized.json`; pages and tables only read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

BINS = 40
"""Bins of a histogram."""
MOST_LAYERS, MOST_NODES = 400, 2000
"""Of larger networks only so many layers have histograms, and no graph is kept: a file stays under a megabyte."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The numbers of a tensor, and what their codes hold.

    Args:
        minimum: the smallest number.
        maximum: the largest.
        counts: how many lie in each of `BINS` equal bins between them; empty in networks of many layers.
        low: the lowest number that codes stand for, None where nothing is quantized, or each part has its own range.
        high: the highest.
        saturated: the share of the numbers beyond what their codes hold, 0 to 1; None where that says nothing.
        sqnr_db: of rounding these numbers alone; None where they are exact, or are not quantized.
    """

    minimum: float
    maximum: float
    counts: tuple[int, ...] = ()
    low: float | None = None
    high: float | None = None
    saturated: float | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the graph: its name, what it is, and the names of the nodes and inputs that it reads."""

    name: str
    kind: str
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LayerInside:
    """A layer.

    Args:
        name: of the layer.
        weights: its weights.
        entering: what enters it in float32.
        entering_db: SQNR of what enters it, rounded, behind all quantized layers before it; None where it is exact or
            was not seen.
        alone_db: SQNR of the network's answers where this layer alone is quantized; None where that was not tried.
    """

    name: str
    weights: Spread
    entering: Spread | None = None
    entering_db: float | None = None
    alone_db: float | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """A quantized network from inside.

    Args:
        samples: evaluation samples behind ranges, histograms and `entering_db`.
        alone_samples: those behind `alone_db`, fewer where the network is large.
        answer_db: SQNR of the answers with all layers quantized, on `samples`; None where they are exact.
        layers: in the order of the network.
        nodes: the graph in an order in which it can run; empty where it has too many nodes.
    """

    samples: int
    alone_samples: int
    answer_db: float | None
    layers: tuple[LayerInside, ...]
    nodes: tuple[Node, ...] = ()


def error_shares(alone_db: Mapping[str, float | None]) -> dict[str, float]:
    """Return each layer's share of the error, 0 to 1, the largest first: its noise alone over that of all layers.

    Noise of layers that do not know of each other adds up; so this says who to look at, not what a repair would bring.

    Args:
        alone_db: layer -> SQNR of the answers where it alone is quantized; layers without one have no share.
    """
    noise = {name: 10.0 ** (-value / 10.0) for name, value in alone_db.items() if value is not None}
    whole = math.fsum(noise.values()) or 1.0
    return {name: noise[name] / whole for name in sorted(noise, key=lambda name: -noise[name])}
