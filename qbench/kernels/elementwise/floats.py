"""The same in float32, for networks that are calibrated or simulated: speed is no concern here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qbench.kernels.jit import jit


@jit
def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * x))


@jit
def softplus(x: float) -> float:
    """Return log(1 + exp(x)), without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@jit
def curve(function: int, x: float, p: float, q: float) -> float:
    """Return a function without a root, a logarithm or a sigmoid in it."""
    if function == 0:
        return abs(x)
    if function == 1:
        return max(x, 0.0) + min(p * math.expm1(min(x, 0.0) / p), 0.0)
    if function == 2:
        return x if x > 0.0 else p * math.expm1(x)
    if function == 3:
        return math.erf(x)
    if function == 4:
        return math.exp(x)
    if function == 7:
        return min(max(p * x + q, 0.0), 1.0)
    if function == 8:
        return x * min(max(x / 6.0 + 0.5, 0.0), 1.0)
    if function == 9:
        return x if x >= 0.0 else p * x
    if function == 14:
        return q * (x if x > 0.0 else p * math.expm1(x))
    if function == 18:
        return x / (1.0 + abs(x))
    return x if x > p else 0.0


@jit
def value(function: int, x: float, p: float, q: float) -> float:
    """Return one of `FUNCTIONS` of x, its parameters p and q."""
    if function == 5:
        return 0.5 * x * (1.0 + math.erf(x * math.sqrt(0.5)))
    if function == 6:
        return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    if function == 10:
        return math.log(x) if x > 0.0 else -math.inf if x == 0.0 else math.nan
    if function == 11:
        return x * math.tanh(softplus(x))
    if function == 12:
        return x**p  # type: ignore[no-any-return]
    if function == 13:
        return 1.0 / x if x != 0.0 else math.inf
    if function == 15:
        return sigmoid(x)  # type: ignore[no-any-return]
    if function == 16:
        return x * sigmoid(p * x)  # type: ignore[no-any-return]
    if function == 17:
        return softplus(x)  # type: ignore[no-any-return]
    if function == 19:
        return math.sqrt(x) if x >= 0.0 else math.nan
    if function == 20:
        return math.tanh(x)
    return curve(function, x, p, q)  # type: ignore[no-any-return]


@jit
def unary_f32_f32(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, function: int, parameters: Any
) -> None:  # fmt: skip
    """Write a function of every number, computed in float64."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    p, q = parameters
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                t = value(function, np.float64(a[n, y + ay, x + ax, c]), np.float64(p), np.float64(q))
                out[n, y + oy, x + ox, c] = np.float32(t)


@jit
def affine_f32_f32(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, scale: Any, offset: Any, limits: Any
) -> None:
    """Write a * scale + offset of every channel, clamped."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                t = a[n, y + ay, x + ax, c] * scale[c] + offset[c]
                out[n, y + oy, x + ox, c] = min(max(t, low), high)


@jit
def mul_f32_f32_f32(
    begin: int, end: int, a: Any, b: Any, out: Any, size: Any, corners: Any, limits: Any, gate: bool
) -> None:  # fmt: skip
    """Write the clamped product; `gate` says that b has one number per channel."""
    height, width, channels = size
    (ay, ax), (by, bx), (oy, ox) = corners
    low, high = limits
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            yb, xb = (by, bx) if gate else (y + by, x + bx)
            for c in range(channels):
                out[n, y + oy, x + ox, c] = min(max(a[n, y + ay, x + ax, c] * b[n, yb, xb, c], low), high)


@jit
def select_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, channels: Any) -> None:
    """Write a[..., channels[i]] to channel i, and 0 where channels[i] is -1."""
    height, width = size
    (ay, ax), (oy, ox) = corners
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for i in range(channels.shape[0]):
                c = channels[i]
                out[n, y + oy, x + ox, i] = a[n, y + ay, x + ax, c] if c >= 0 else np.float32(0)


@jit
def concat_f32_f32(begin: int, end: int, parts: Any, out: Any, size: Any, corners: Any, widths: Any) -> None:
    """Write the parts' channels one after the other."""
    height, width = size
    oy, ox = corners[len(parts)]
    for row in range(begin, end):
        n, y = row // height, row % height
        first = 0
        for p in range(len(parts)):
            part = parts[p]
            ay, ax = corners[p]
            for x in range(width):
                for c in range(widths[p]):
                    out[n, y + oy, x + ox, first + c] = part[n, y + ay, x + ax, c]
            first += widths[p]


@jit
def resize_f32_f32(begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, factors: Any) -> None:
    """Write every pixel `factors` times down and across."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    down, across = factors
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            for c in range(channels):
                out[n, y + oy, x + ox, c] = a[n, y // down + ay, x // across + ax, c]
