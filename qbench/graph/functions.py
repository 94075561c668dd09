"""Functions of one number, by name: what a `Unary` computes. The engine turns one into a table of 256 codes.

Each takes float64 and its parameters; formulas are those of the ONNX operators of the same name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: Reals) -> Reals:
    half: Reals = 0.5 * x
    return 0.5 * (1.0 + np.tanh(half))  # the same function, and no overflow


def _softplus(x: Reals) -> Reals:
    return np.logaddexp(x, 0.0)


def _gelu(x: Reals) -> Reals:
    scaled: Reals = 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))
    return scaled


def _gelu_tanh(x: Reals) -> Reals:
    inner: Reals = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1.0 + np.tanh(inner))


def _hard_sigmoid(x: Reals, alpha: float, beta: float) -> Reals:
    return np.clip(alpha * x + beta, 0.0, 1.0)


FUNCTIONS: Mapping[str, Callable[..., Reals]] = {
    "abs": np.abs,
    "celu": lambda x, alpha: np.maximum(x, 0.0) + np.minimum(alpha * np.expm1(np.minimum(x, 0.0) / alpha), 0.0),
    "elu": lambda x, alpha: np.where(x > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0))),
    "erf": _erf,
    "exp": np.exp,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": lambda x: x * _hard_sigmoid(x, 1.0 / 6.0, 0.5),
    "leaky_relu": lambda x, alpha: np.where(x >= 0.0, x, alpha * x),
    "log": np.log,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "power": lambda x, exponent: np.power(x, exponent),
    "reciprocal": np.reciprocal,
    "selu": lambda x, alpha, gamma: gamma * np.where(x > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0))),
    "sigmoid": _sigmoid,
    "silu": lambda x, alpha: x * _sigmoid(alpha * x),
    "softplus": _softplus,
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "thresholded_relu": lambda x, alpha: np.where(x > alpha, x, 0.0),
}


def evaluate(function: str, x: npt.NDArray[np.floating], parameters: tuple[float, ...] = ()) -> Reals:
    """Return the function of every number of `x`, in float64."""
    with np.errstate(all="ignore"):  # where the function is not defined it is NaN or infinite, as in ONNX
        return FUNCTIONS[function](np.asarray(x, np.float64), *parameters)
