"""The nodes of image networks without weights, in float32: functions of one number, products, channels, sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from qbench.kernels.elementwise.curves import exponential, sigmoid, tangent, value
from qbench.kernels.jit import jit


@jit
def unary_f32_f32(
    begin: int, end: int, a: Any, out: Any, size: Any, corners: Any, function: int, parameters: Any
) -> None:  # fmt: skip
    """Write a function of every number, computed in float64; those of an exponential are loops that become vectors."""
    height, width, channels = size
    (ay, ax), (oy, ox) = corners
    p, q = np.float64(parameters[0]), np.float64(parameters[1])
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            reals, results = a[n, y + ay, x + ax, :channels], out[n, y + oy, x + ox, :channels]
            if function == 4:
                for c in range(channels):
                    results[c] = np.float32(exponential(np.float64(reals[c])))
            elif function == 15:
                for c in range(channels):
                    results[c] = np.float32(sigmoid(np.float64(reals[c])))
            elif function == 16:
                for c in range(channels):
                    t = np.float64(reals[c])
                    results[c] = np.float32(t * sigmoid(p * t))
            elif function == 20:
                for c in range(channels):
                    results[c] = np.float32(tangent(np.float64(reals[c])))
            else:
                for c in range(channels):
                    results[c] = np.float32(value(function, np.float64(reals[c]), p, q))


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
    count, first, follow = channels.shape[0], channels[0], channels[0] >= 0
    for i in range(1, count):
        follow = follow and channels[i] == first + i
    for row in range(begin, end):
        n, y = row // height, row % height
        for x in range(width):
            if follow:  # they lie side by side: a copy
                reals, results = a[n, y + ay, x + ax, first : first + count], out[n, y + oy, x + ox, :count]
                for i in range(count):
                    results[i] = reals[i]
                continue
            for i in range(count):
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
