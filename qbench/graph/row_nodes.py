"""Nodes over rows of tokens, (tokens, c), as transformers have them: the last axis is the channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset over the last axis; both float32 (c,)."""

    name: str
    input: str
    output: str
    scale: Floats
    offset: Floats
    epsilon: float


@dataclass(frozen=True, slots=True)
class Hadamard:
    """Every `block` numbers of the last axis times H / sqrt(block), H the Walsh-Hadamard matrix in Sylvester's order.

    H is symmetric, and H / sqrt(block) its own inverse; `block` is a power of two that divides the channels.
    """

    name: str
    input: str
    output: str
    block: int

    @property
    def matrix(self) -> Floats:
        """H / sqrt(block), float32 (block, block)."""
        found = np.ones((1, 1))
        while len(found) < self.block:
            found = np.kron(np.asarray([[1.0, 1.0], [1.0, -1.0]]), found)
        return np.asarray(found * self.block**-0.5, np.float32)


@dataclass(frozen=True, slots=True)
class Softmax:
    """exp(x) / sum(exp(x)) over the last axis."""

    name: str
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class TokenMean:
    """The mean of all tokens: (tokens, c) -> (c,)."""

    name: str
    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Attention:
    """softmax(q @ k.T * scale + mask) @ v for each of `heads` slices of the channels.

    Query, key, value and output are (tokens, c), head after head; `mask`, where given, broadcasts to
    (heads, tokens, tokens) with its batch before that.
    """

    name: str
    query: str
    key: str
    value: str
    mask: str | None
    output: str
    heads: int
    scale: float
