"""What a layer sees of its input: every window as a row in the order of the layer's codes, and the mean window."""

from __future__ import annotations

from math import gcd

import numpy as np

from qbench.core.tensor import Floats
from qbench.graph import Conv, Layer
from qbench.methods.fitting.slices import Doubles


def rows_of(layer: Layer, tensor: Floats, most: int) -> Floats:
    """Return what a layer multiplies its weights by, float32 (groups, rows, depth), the depth in the order of codes.

    Args:
        layer: a convolution or a linear layer.
        tensor: its input, NHWC (n, h, w, c); a linear layer flattens it channel slowest, or takes its tokens' channels.
        most: rows per sample; of more, every n-th is taken.
    """
    count = len(tensor)
    if not isinstance(layer, Conv):
        depth = layer.weight.shape[1]
        rows = tensor.transpose(0, 3, 1, 2) if tensor[0].size == depth else tensor
        each = rows.reshape(count, -1, depth)
        return each[:, :: _step(each.shape[1], most)].reshape(1, -1, depth)
    top, left, bottom, right = layer.pads
    padded = np.pad(tensor, ((0, 0), (top, bottom), (left, right), (0, 0)))
    (kh, kw), (wide_y, wide_x) = layer.weight.shape[2:], layer.dilations
    height, width = _out_size(layer, padded.shape[1:3])
    step = _step(height * width, most)
    while step > 1 and gcd(step, width) > 1:  # else the same columns would be taken of every line
        step += 1
    places = np.arange(0, height * width, step)
    y, x = places // width * layer.strides[0], places % width * layer.strides[1]
    taps = [padded[:, y + i * wide_y, x + j * wide_x] for i in range(kh) for j in range(kw)]  # (n, places, c) each
    by_group = np.stack(taps, axis=2).reshape(count * len(places), len(taps), layer.groups, -1)
    rows = by_group.transpose(2, 0, 1, 3).reshape(layer.groups, count * len(places), -1)
    return np.ascontiguousarray(rows)


def mean_window(layer: Layer, tensor: Doubles) -> Doubles:
    """Return what a layer's window holds on average, float64 (groups, depth), the depth in the order of its codes.

    Args:
        layer: a convolution or a linear layer.
        tensor: mean of its input, (h, w, c); a linear layer flattens it channel slowest, or takes its tokens' channels.
    """
    if not isinstance(layer, Conv):
        if tensor.size != layer.weight.shape[1]:  # one product for each token
            tokens: Doubles = tensor.reshape(-1, tensor.shape[-1])
            return np.asarray(tokens.mean(axis=0, keepdims=True))
        return tensor.transpose(2, 0, 1).reshape(1, -1) if tensor.ndim == 3 else tensor.reshape(1, -1)
    top, left, bottom, right = layer.pads
    padded = np.pad(tensor, ((top, bottom), (left, right), (0, 0)))
    (kh, kw), (step_y, step_x), (wide_y, wide_x) = layer.weight.shape[2:], layer.strides, layer.dilations
    height, width = _out_size(layer, padded.shape[:2])
    taps = [
        padded[y * wide_y :: step_y, x * wide_x :: step_x][:height, :width].mean(axis=(0, 1))
        for y in range(kh)
        for x in range(kw)
    ]
    by_group = np.stack(taps).reshape(len(taps), layer.groups, -1)
    return np.ascontiguousarray(by_group.transpose(1, 0, 2).reshape(layer.groups, -1))


def _step(count: int, most: int) -> int:
    return max(1, -(-count // most))


def _out_size(layer: Conv, padded: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of a convolution's output, of the size of its padded input."""
    spans = [wide * (kernel - 1) + 1 for wide, kernel in zip(layer.dilations, layer.weight.shape[2:], strict=True)]
    height, width = ((size - span) // step + 1 for size, span, step in zip(padded, spans, layer.strides, strict=True))
    return height, width
