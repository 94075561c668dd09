"""Loops over the rows of tokens: each reads float32 numbers and writes float32 numbers, u8 codes of them, or both.

Buffers are flat; a row has `width` words, of which `channels` hold numbers. Units are rows. `numbers` is
(inverse_scale, offset, high) of the codes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit
from qbench.kernels.tiles.portable import fma
from qbench.kernels.tokens.functions import code_of, exp_f32, gelu_f32, gelu_tanh_f32
from qbench.kernels.tokens.rounds import LANES
from qbench.kernels.tokens.vectors import squares_of, sum_of

BULK = 4 * LANES


@jit
def _sum(a: Any, at: int, b: Any, other: int, bulk: int, whole: int, channels: int) -> Any:
    """Return the sum of a row of a + b, of which the first `bulk` and `whole` numbers fill vectors."""
    total = float32(0.0)
    if bulk:
        total += sum_of(a, at, b, other, bulk, 4)  # type: ignore[call-arg]
    if bulk < whole:
        total += sum_of(a, at + bulk, b, other + bulk, whole - bulk, 1)  # type: ignore[call-arg]
    for i in range(whole, channels):
        total += a[at + i] + b[other + i]
    return total


@jit
def _squares(a: Any, at: int, b: Any, other: int, bulk: int, whole: int, channels: int, mean: Any) -> Any:
    """Return the sum of the squares of what a row of a + b lies from its mean."""
    total: Any = float32(0.0)
    if bulk:
        total += squares_of(a, at, b, other, bulk, mean, 4)  # type: ignore[call-arg]
    if bulk < whole:
        total += squares_of(a, at + bulk, b, other + bulk, whole - bulk, mean, 1)  # type: ignore[call-arg]
    for i in range(whole, channels):
        apart = a[at + i] + b[other + i] - mean
        total = fma(apart, apart, total)  # type: ignore[call-arg]
    return total


@jit
def norm_row(
    a: Any, at: int, b: Any, other: int, out: Any, codes: Any, to: int, spans: Any, affine: Any, epsilon: float,
    numbers: Any, floor: bool, centred: bool,
) -> None:  # fmt: skip
    """Write the normalization of a row of a + b; unless it is `centred` the mean counts as 0.

    `spans` is how many numbers fill bulks, vectors, and are there.
    """
    bulk, whole, channels = spans
    scale, shift = affine
    inverse_scale, offset, high = numbers
    mean = _sum(a, at, b, other, bulk, whole, channels) / float32(channels) if centred else float32(0.0)
    squares = _squares(a, at, b, other, bulk, whole, channels, mean)
    factor = float32(1.0) / np.sqrt(squares / float32(channels) + float32(epsilon))
    left, right = a[at : at + channels], b[other : other + channels]
    if len(out):
        reals = out[to : to + channels]
        for i in range(channels):
            reals[i] = fma((left[i] + right[i] - mean) * factor, scale[i], shift[i])  # type: ignore[call-arg]
    if len(codes):
        bytes_of = codes[to : to + channels]
        for i in range(channels):
            y: Any = fma((left[i] + right[i] - mean) * factor, scale[i], shift[i])  # type: ignore[call-arg]
            bytes_of[i] = code_of(y, inverse_scale, offset, high, floor)


@jit
def layer_norm_f32(
    begin: int, end: int, a: Any, b: Any, out: Any, codes: Any, affine: Any, sizes: Any, epsilon: float,
    numbers: Any, floor: bool,
) -> None:  # fmt: skip
    """Write the normalization of a + b as float32, as codes, or as both, where the array is not empty.

    `b` may be one row of zeros; `affine` is (scale, offset), `sizes` (channels, width, step of b from row to row).
    """
    _norm_rows(begin, end, a, b, out, codes, affine, sizes, epsilon, numbers, floor, True)


@jit
def rms_norm_f32(
    begin: int, end: int, a: Any, b: Any, out: Any, codes: Any, affine: Any, sizes: Any, epsilon: float,
    numbers: Any, floor: bool,
) -> None:  # fmt: skip
    """Write what `layer_norm_f32` does, with 0 for the mean."""
    _norm_rows(begin, end, a, b, out, codes, affine, sizes, epsilon, numbers, floor, False)


@jit
def _norm_rows(
    begin: int, end: int, a: Any, b: Any, out: Any, codes: Any, affine: Any, sizes: Any, epsilon: float,
    numbers: Any, floor: bool, centred: bool,
) -> None:  # fmt: skip
    channels, width, b_step = sizes
    spans = channels // BULK * BULK, channels // LANES * LANES, channels
    for row in range(begin, end):
        at = row * width
        norm_row(a, at, b, row * b_step, out, codes, at, spans, affine, epsilon, numbers, floor, centred)


@jit
def quantize_rows_f32_u8(
    begin: int, end: int, x: Any, codes: Any, channels: int, width: int, numbers: Any, floor: bool
) -> None:  # fmt: skip
    """Write the codes of every number."""
    inverse_scale, offset, high = numbers
    for row in range(begin, end):
        reals, bytes_of = x[row * width : row * width + channels], codes[row * width : row * width + channels]
        for i in range(channels):
            bytes_of[i] = code_of(reals[i], inverse_scale, offset, high, floor)


@jit
def gelu_f32_u8(
    begin: int, end: int, x: Any, codes: Any, channels: int, width: int, numbers: Any, floor: bool, tanh: bool
) -> None:  # fmt: skip
    """Write the codes of gelu, or of the gelu that uses a tangent."""
    inverse_scale, offset, high = numbers
    for row in range(begin, end):
        reals, bytes_of = x[row * width : row * width + channels], codes[row * width : row * width + channels]
        if tanh:
            for i in range(channels):
                bytes_of[i] = code_of(gelu_tanh_f32(reals[i]), inverse_scale, offset, high, floor)
        else:
            for i in range(channels):
                bytes_of[i] = code_of(gelu_f32(reals[i]), inverse_scale, offset, high, floor)


@jit
def gelu_f32_f32(begin: int, end: int, x: Any, out: Any, channels: int, width: int, tanh: bool) -> None:
    """Write gelu, or the gelu that uses a tangent."""
    for row in range(begin, end):
        reals, results = x[row * width : row * width + channels], out[row * width : row * width + channels]
        if tanh:
            for i in range(channels):
                results[i] = gelu_tanh_f32(reals[i])
        else:
            for i in range(channels):
                results[i] = gelu_f32(reals[i])


@jit
def softmax_f32_f32(begin: int, end: int, x: Any, out: Any, channels: int, width: int) -> None:
    """Write exp(x) / sum(exp(x)) of every row."""
    for row in range(begin, end):
        reals, results = x[row * width : row * width + channels], out[row * width : row * width + channels]
        most = reals[0]
        for i in range(1, channels):
            most = max(most, reals[i])
        for i in range(channels):
            results[i] = exp_f32(reals[i] - most)
        total = float32(0.0)
        for i in range(channels):
            total += results[i]
        factor = float32(1.0) / total
        for i in range(channels):
            results[i] *= factor


@jit
def mean_rows_f32(begin: int, end: int, x: Any, out: Any, tokens: int, channels: int, width: int) -> None:
    """Write the mean of each image's rows; units are images."""
    factor = float32(1.0) / float32(tokens)
    for n in range(begin, end):
        results = out[n * width : n * width + channels]
        results[:] = float32(0.0)
        for token in range(tokens):
            reals = x[(n * tokens + token) * width : (n * tokens + token) * width + channels]
            for i in range(channels):
                results[i] += reals[i]
        for i in range(channels):
            results[i] *= factor


@jit
def gather_rows_f32(begin: int, end: int, ids: Any, table: Any, places: Any, out: Any, width: int) -> None:
    """Write table[id] + the place's row for every token; ids are below the table's rows."""
    words, channels = table.shape
    for row in range(begin, end):
        word = min(max(ids[row], 0), words - 1)
        reals, left, right = out[row * width : row * width + channels], table[word], places[row % len(places)]
        for i in range(channels):
            reals[i] = left[i] + right[i]
