"""Nodes of transformers, over rows of tokens (tokens, c), whose last axis is the channels; normalization of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SINCE_2 = {"left_out": True}
"""Metadata of a field that a saved network holds only where it is not the default: older files have none."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset over the last axis; both float32 (c,).

    Where it is not `centred` the mean counts as 0, the variance as the mean of the squares (RMSNorm, as in T5).
    """

    name: str
    input: str
    output: str
    scale: Floats
    offset: Floats
    epsilon: float
    centred: bool = field(default=True, metadata=SINCE_2)


@dataclass(frozen=True, slots=True, eq=False)
class ImageNorm:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset of images (c, h, w); both float32 (c,).

    Mean and variance are of all pixels of each of `groups` groups of channels; with 0, of each pixel's channels.
    """

    name: str
    input: str
    output: str
    scale: Floats
    offset: Floats
    epsilon: float
    groups: int


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


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """softmax(q @ k.T * scale + mask + bias) @ v for each of `heads` slices of the channels.

    Query, key, value and output are (tokens, c), head after head. Tokens are `windows` runs of equally many, one behind
    the other, that attend to themselves alone. `mask`, where given, broadcasts to (heads, tokens, tokens) with its
    batch before that; `bias` is float32 and broadcasts to (windows, heads, tokens, tokens) of one window. A token whose
    scores are all -inf gets 0.
    """

    name: str
    query: str
    key: str
    value: str
    mask: str | None
    output: str
    heads: int
    scale: float
    bias: Floats | None = field(default=None, metadata=SINCE_2)
    windows: int = field(default=1, metadata=SINCE_2)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is added to its scores, and all tokens attend to all."""
        return self.mask is None and self.bias is None and self.windows == 1


Cell = Literal["LSTM", "GRU"]
GATES: dict[Cell, int] = {"LSTM": 4, "GRU": 3}
"""Cell -> the numbers that it computes for each of its own: ONNX's i, o, f, c of an LSTM, z, r, h of a GRU."""
STATES: dict[Cell, int] = {"LSTM": 2, "GRU": 1}
"""Cell -> what it remembers from token to token: the hidden state, and an LSTM its cell."""


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent:
    """One direction of an LSTM, or of a GRU that resets behind its product; a Linear before it multiplies the input.

    `weight` multiplies the hidden state: its rows, and those of `gates`, are the gates of `GATES`, one after the other.

    Args:
        name: the node.
        cell: which equations (ONNX, LSTM-14 and GRU-14 with `linear_before_reset`).
        gates: what the Linear writes for each step, (tokens, gates * k).
        input: the hidden state before each step, (tokens, k): the node writes it, for calibration to look at.
        output: the hidden state after each step, (tokens, k).
        weight: (gates * k, k).
        bias: of the product with the hidden state, (gates * k,).
        first: tensors (k,) or (1, k) of the states at the beginning: hidden, and of an LSTM cell; "" for zeros.
        last: tensors (1, k) that it writes: the same states at the end.
        reverse: whether it goes through the tokens from the last to the first.
    """

    name: str
    cell: Cell
    gates: str
    input: str
    output: str
    weight: Floats
    bias: Floats
    first: tuple[str, ...]
    last: tuple[str, ...]
    reverse: bool = False
    source: str = ""

    @property
    def activation(self) -> None:
        """Nothing clamps what comes of it."""
        return None
