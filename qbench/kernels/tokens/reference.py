"""The law, in float64 NumPy. Kernels compute in float32 and come within the tolerances of `check`.

Rows are tokens. Codes of a result x are those of `qbench.kernels.quantize.reference`, of the float32 x:
clamp(round(x * inverse_scale + offset), 0, high).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]


def layer_norm(x: Floats, scale: Floats, offset: Floats, epsilon: float) -> Doubles:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset over the last axis."""
    wide = x.astype(np.float64)
    apart = wide - wide.mean(axis=-1, keepdims=True)
    variance = np.square(apart).mean(axis=-1, keepdims=True)
    normal: Doubles = apart / np.sqrt(variance + epsilon) * scale + offset
    return normal


def gelu(x: Floats) -> Doubles:
    """Return x * (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel 2016)."""
    wide = x.astype(np.float64)
    return np.asarray(0.5 * wide * (1.0 + np.vectorize(math.erf)(wide / math.sqrt(2.0))))


def gelu_tanh(x: Floats) -> Doubles:
    """Return gelu by the tangent that its authors offer for it."""
    wide = x.astype(np.float64)
    return np.asarray(0.5 * wide * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (wide + 0.044715 * wide**3))))


def softmax(x: Doubles) -> Doubles:
    """Return exp(x) / sum(exp(x)) over the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def attention(query: Floats, key: Floats, value: Floats, *, heads: int, scale: float) -> Doubles:
    """Return softmax(q @ k.T * scale) @ v of each head; query (n, tokens, c), key and value (n, others, c)."""
    q, k, v = (x.astype(np.float64).reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3) for x in (query, key, value))
    mixed = softmax(q @ k.transpose(0, 1, 3, 2) * scale) @ v
    joined: Doubles = mixed.transpose(0, 2, 1, 3).reshape(query.shape[0], query.shape[1], -1)
    return joined
