"""The law of recurrences, to the last bit: float32 NumPy in the order in which `recurrent` computes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import fma
from qbench.kernels.tokens.reference import exp_f32

Floats = npt.NDArray[np.float32]
_ONE, _TWO = np.float32(1), np.float32(2)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x))."""
    return _ONE / (_ONE + exp_f32(-x))


def tanh(x: Floats) -> Floats:
    """Return 1 - 2 / (1 + exp(2 x))."""
    return _ONE - _TWO / (_ONE + exp_f32(_TWO * x))


def lstm_step(gates: Floats, product: Floats, states: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Return hidden state and cell (n, k) after a step; gates and product are (n, 4 k): i, o, f, c (ONNX, LSTM-14)."""
    (_, cell), (i, o, f, c) = states, np.split(gates + product, 4, axis=-1)
    cell = fma(sigmoid(f), cell, sigmoid(i) * tanh(c))
    return sigmoid(o) * tanh(cell), cell


def gru_step(gates: Floats, product: Floats, states: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Return the hidden state (n, k) after a step, alone in a tuple; gates and product are (n, 3 k): z, r, h.

    The reset gate multiplies the product (ONNX, GRU-14 with `linear_before_reset`).
    """
    (hidden,), (z, r, h), (pz, pr, ph) = states, np.split(gates, 3, axis=-1), np.split(product, 3, axis=-1)
    new = tanh(fma(sigmoid(pr + r), ph, h))
    return (fma(sigmoid(pz + z), hidden - new, new),)
