"""The operators that a seeded network is fitted with: NHWC, float64, exact on rounded numbers, hence reproducible."""

from __future__ import annotations

import numpy as np

from qbench.zoo.networks.numbers import Reals


def conv(x: Reals, weight: Reals, *, stride: int, padding: int, groups: int) -> Reals:
    """Return the convolution of x (n, h, w, c) with weight (O, I / groups, kh, kw); groups is 1 or the channels."""
    height, width = weight.shape[2:]
    if (height, width) == (1, 1) and groups == 1 and not padding:
        return np.asarray(x[:, ::stride, ::stride] @ weight[:, :, 0, 0].T)
    windows = _windows(x, (height, width), stride=stride, padding=padding, fill=0.0)
    if groups == 1:
        n, h, w = windows.shape[:3]
        columns = np.ascontiguousarray(windows).reshape(n * h * w, -1)
        return np.asarray(columns @ weight.reshape(len(weight), -1).T).reshape(n, h, w, -1)
    total = np.zeros(windows.shape[:4])
    for i in range(height):
        for j in range(width):
            total += windows[..., i, j] * weight[:, 0, i, j]
    return total


def max_pool(x: Reals, *, kernel: int, stride: int, padding: int) -> Reals:
    """Return the maximum over windows of x (n, h, w, c)."""
    windows = _windows(x, (kernel, kernel), stride=stride, padding=padding, fill=-np.inf)
    return np.asarray(windows.max(axis=(4, 5)))


def _windows(x: Reals, size: tuple[int, int], *, stride: int, padding: int, fill: float) -> Reals:
    """Return a view (n, h, w, c, kh, kw)."""
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = np.pad(x, edges, constant_values=fill) if padding else x
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=(1, 2))[:, ::stride, ::stride]
