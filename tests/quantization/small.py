"""A transformer of one block, its layer norms before its layers, with outliers in two channels of each norm."""

from __future__ import annotations

import numpy as np

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.graph import Add, Attention, Clamp, LayerNorm, Linear, Network, Unary

RELU = Clamp(0.0, float("inf"))
TOKENS, CHANNELS, WIDE = 6, 16, 32


def block(*, outliers: float = 1.0) -> Network:
    """Return x + attention(norm(x)), then + layers(norm()); two channels of what norms write are `outliers` times."""
    draw = np.random.default_rng(0)

    def linear(name: str, source: str, n: int, k: int, activation: Clamp | None = None) -> Linear:
        weight = (draw.standard_normal((n, k)) / np.sqrt(k)).astype(np.float32)
        return Linear(name, source, name, weight, draw.standard_normal(n).astype(np.float32) * 0.1, activation)

    def norm(name: str, source: str) -> LayerNorm:
        scale = np.ones(CHANNELS, np.float32)
        scale[[3, 9]] *= outliers
        return LayerNorm(name, source, name, scale, np.full(CHANNELS, 0.1, np.float32), 1e-5)

    nodes = (
        norm("before", "x"),
        *(linear(name, "before", CHANNELS, CHANNELS) for name in ("query", "key", "value")),
        Attention("mixed", "query", "key", "value", None, "mixed", 2, 0.35),
        linear("out", "mixed", CHANNELS, CHANNELS),
        Add("sum", ("x", "out"), "sum"),
        norm("behind", "sum"),
        linear("wide", "behind", WIDE, CHANNELS),
        Unary("gelu", "gelu", "wide", "gelu"),
        linear("narrow", "gelu", CHANNELS, WIDE),
        Add("last", ("sum", "narrow"), "last"),
    )
    rows = {node.output: (TOKENS, CHANNELS) for node in nodes}
    shapes = {"x": (TOKENS, CHANNELS)} | rows | dict.fromkeys(("wide", "gelu"), (TOKENS, WIDE))
    return Network("block", "x", (TOKENS, CHANNELS), "last", nodes, shapes, {}, "")


def rows() -> Floats:
    """Return samples of a block, float32 (24, tokens, channels)."""
    return np.random.default_rng(1).standard_normal((24, TOKENS, CHANNELS), np.float32)


def answers(network: Network, samples: Floats) -> Floats:
    """Return what a network answers in float32."""
    with FloatSession(network, threads=1) as session:
        return np.asarray(session.run(samples))
