"""The law, in float64 NumPy. Kernels compute in float32 and come within the tolerances of `check`.

Rows are tokens. Codes of a result x are those of `qbench.kernels.quantize.reference`, of the float32 x:
clamp(round(x * inverse_scale + offset), 0, high).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.reference import fma
from qbench.kernels.tokens.rounds import EXP_TERMS, LN2_HIGH, LN2_LOW, LOG2_E

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]


def layer_norm(x: Floats, scale: Floats, offset: Floats, epsilon: float, *, centred: bool = True) -> Doubles:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset over the last axis; mean 0 if not `centred`."""
    wide = x.astype(np.float64)
    apart = wide - wide.mean(axis=-1, keepdims=True) if centred else wide
    variance = np.square(apart).mean(axis=-1, keepdims=True)
    normal: Doubles = apart / np.sqrt(variance + epsilon) * scale + offset
    return normal


def group_norm(x: Floats, scale: Floats, offset: Floats, epsilon: float, groups: int) -> Doubles:
    """Return the normalization of images (n, h, w, c) over all pixels of each of `groups` groups of channels."""
    wide = x.astype(np.float64).reshape(*x.shape[:3], groups, -1)
    apart = wide - wide.mean(axis=(1, 2, 4), keepdims=True)
    unit = apart / np.sqrt(np.square(apart).mean(axis=(1, 2, 4), keepdims=True) + epsilon)
    normal: Doubles = unit.reshape(x.shape) * scale + offset
    return normal


def gelu(x: Floats) -> Doubles:
    """Return x * (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel 2016)."""
    wide = x.astype(np.float64)
    return np.asarray(0.5 * wide * (1.0 + np.vectorize(math.erf)(wide / math.sqrt(2.0))))


def gelu_tanh(x: Floats) -> Doubles:
    """Return gelu by the tangent that its authors offer for it."""
    wide = x.astype(np.float64)
    return np.asarray(0.5 * wide * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (wide + 0.044715 * wide**3))))


def hadamard(x: Floats, block: int) -> Floats:
    """Return blocks of the last axis times the Walsh-Hadamard matrix by 1 / sqrt(block), exact in the type of x.

    The order of the sums is part of the law: halves, then sums and differences in turns, log2(block) times.
    """
    found = x.reshape(-1, block)
    for _ in range(block.bit_length() - 1):
        left, right = found[:, : block // 2], found[:, block // 2 :]
        found = np.stack([left + right, left - right], axis=-1).reshape(-1, block)
    return np.asarray((found * x.dtype.type(block**-0.5)).reshape(x.shape))


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


def exp_f32(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return exp(x) in float32 as the kernels compute it, to the last bit; x is clamped to -87..88."""
    x = np.clip(x, np.float32(-87.0), np.float32(88.0))
    n = np.rint(x * np.float32(LOG2_E))
    r = fma(n, np.float32(LN2_LOW), fma(n, -np.float32(LN2_HIGH), x))
    p = np.full_like(x, EXP_TERMS[0])
    for term in EXP_TERMS[1:]:
        p = fma(p, r, np.float32(term))
    p = fma(p, r * r, r + np.float32(1.0))
    return np.asarray(np.ldexp(p, n.astype(np.int32)), np.float32)


def attention_u8(
    query: Codes, key: Codes, value: Codes, *, heads: int, scales: tuple[np.float32, np.float32],
    zeros: tuple[int, int], mask: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:  # fmt: skip
    """Return attention on u8 codes, exactly as every variant gives it.

    Scores sum (q - zero of q) * (k - 128) in int32: the zero point of keys adds the same to every score of a row, which
    a softmax does not see. A weight is a u8 code, 255 that of the row's largest; the sum of a row's codes divides its
    mixture.

        score = fma(float32(acc), scales[0], mask)
        weight = round(255 * exp(score - largest))
        out = float32(sum(weight * (v - zero of v))) * (scales[1] / float32(sum(weight)))

    A row whose keys are all masked by -inf is 0.

    Args:
        query: u8 (n, tokens, c).
        key: u8 (n, others, c).
        value: u8 (n, others, c).
        heads: slices of the channels.
        scales: (scale of query * scale of key * scale of scores, scale of value), float32.
        zeros: zero points of query and value.
        mask: float32, broadcast to (n, heads, tokens, others).

    Returns:
        float32 (n, tokens, c).
    """
    q, k, v = (x.astype(np.int64).reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3) for x in (query, key, value))
    acc = (q - zeros[0]) @ (k - 128).transpose(0, 1, 3, 2)
    with np.errstate(invalid="ignore"):  # -inf less -inf, whose weights are 0
        scores = fma(acc.astype(np.float32), scales[0], np.float32(0) if mask is None else mask)
        largest = scores.max(axis=-1, keepdims=True)
        apart = np.where(np.isneginf(scores), np.float32(-np.inf), scores - largest)
    weights = np.rint(exp_f32(apart) * np.float32(255)).astype(np.int64)
    totals = weights.sum(axis=-1, keepdims=True)
    mixed = (weights @ (v - zeros[1])).astype(np.float32)
    with np.errstate(divide="ignore"):
        factors = np.where(totals == 0, np.float32(0), np.float32(scales[1]) / totals.astype(np.float32))
    made: npt.NDArray[np.float32] = mixed * factors
    return made.transpose(0, 2, 1, 3).reshape(query.shape)
