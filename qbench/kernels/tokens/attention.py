"""Attention of whole heads in float32: scores, softmax and mixing of a few tokens at a time stay in the first cache.

The loops are one function; its variants differ in the blocks of registers that a product is cut to. Each number is the
sum of fused products in the order of the depth, so that all variants agree to the last bit. Units are heads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit
from qbench.kernels.tiles.portable import fma
from qbench.kernels.tokens.functions import code_of
from qbench.kernels.tokens.masks import begin_of
from qbench.kernels.tokens.rounds import AVX2, COLUMNS, LANES, PORTABLE, ROWS, room_of
from qbench.kernels.tokens.vectors import block, softmax_rows, transpose_block

_room_of = jit(room_of)


@jit
def product(
    kind: int, a: Any, a_at: int, a_step: int, b: Any, b_at: int, b_step: int, c: Any, c_at: int, c_step: int, size: Any
) -> None:
    """Write c = a @ b for `size` (rows, columns, depth), matrices as `vectors.block` takes them."""
    rows, columns, depth = size
    if kind == PORTABLE or rows < ROWS or columns % LANES:
        _plain_product(a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, size)
        return
    if kind == AVX2:
        for j in range(0, columns, 16):
            for i in range(0, ROWS, 4):
                block(  # type: ignore[call-arg]
                    a, a_at + i * a_step, a_step, b, b_at + j, b_step, c, c_at + i * c_step + j, c_step, depth, "4x2x8"
                )
        return
    whole = columns // 32 * 32
    for j in range(0, whole, 32):
        block(a, a_at, a_step, b, b_at + j, b_step, c, c_at + j, c_step, depth, "8x2x16")  # type: ignore[call-arg]
    if whole < columns:
        block(a, a_at, a_step, b, b_at + whole, b_step, c, c_at + whole, c_step, depth, "8x1x16")  # type: ignore[call-arg]


@jit
def _plain_product(
    a: Any, a_at: int, a_step: int, b: Any, b_at: int, b_step: int, c: Any, c_at: int, c_step: int, size: Any
) -> None:
    rows, columns, depth = size
    for i in range(rows):
        out = c[c_at + i * c_step : c_at + i * c_step + columns]
        out[:] = float32(0.0)
        for k in range(depth):
            x, line = a[a_at + i * a_step + k], b[b_at + k * b_step : b_at + k * b_step + columns]
            for j in range(columns):
                out[j] = fma(x, line[j], out[j])  # type: ignore[call-arg]


@jit
def _softmax(scratch: Any, at: int, sums_at: int, rows: int, tokens: int, padded: int) -> None:
    """Replace scores by exp(score - the row's largest), and write 1 / the sum of each row."""
    for i in range(rows):
        scratch[at + i * padded + tokens : at + (i + 1) * padded] = float32(-np.inf)
    if rows == ROWS:
        softmax_rows(scratch, at, padded, padded, sums_at, 8)  # type: ignore[call-arg]
        return
    for i in range(rows):
        softmax_rows(scratch, at + i * padded, padded, padded, sums_at + i, 1)  # type: ignore[call-arg]


@jit
def _factor(share: Any) -> Any:
    """Return 1 / the sum of a row's powers; 0 where all are masked: the largest alone is 1."""
    return share if share < float32(2.0) else float32(0.0)


@jit
def _keys_across(key: Any, start: int, step: int, scratch: Any, room: int, size: Any, scale: float) -> None:
    """Write a head's keys times `scale`, a line for each of its channels, zeros behind the tokens."""
    others, depth, padded = size
    whole = others // LANES * LANES if depth % LANES == 0 else 0
    for j in range(0, whole, LANES):
        for d in range(0, depth, LANES):
            transpose_block(  # type: ignore[call-arg]
                key, start + j * step + d, step, scratch, room + d * padded + j, padded, scale
            )
    for d in range(depth):
        line = scratch[room + d * padded : room + (d + 1) * padded]
        for j in range(whole, others):
            line[j] = key[start + j * step + d] * scale
        line[others:] = float32(0.0)


@jit
def _add_rows(mask: Any, begin: int, step: int, scores: Any, at: int, size: Any) -> None:
    """Add rows of a mask, where it is not empty, to scores."""
    rows, others, padded = size
    if len(mask):
        for i in range(rows):
            line = scores[at + i * padded : at + i * padded + others]
            given = mask[begin + i * step : begin + i * step + others]
            for j in range(others):
                line[j] += given[j]


@jit
def attention_f32(
    begin: int, end: int, query: Any, key: Any, value: Any, mask: Any, bias: Any, mask_steps: Any, bias_steps: Any,
    out: Any, codes: Any, scratch: Any, sizes: Any, widths: Any, scale: float, numbers: Any, floor: bool, kind: int,
) -> None:  # fmt: skip
    """Write softmax(q @ k.T * scale + mask + bias) @ v as float32, as codes, or as both, where the array is not empty.

    `sizes` is (query tokens, key tokens, heads, a head's channels, windows), `widths` the words of a row of query, key,
    value and output, `numbers` (inverse_scale, offset, high); `scratch` holds `room_of(...)` numbers a unit. Steps of
    the mask and the bias are those of `masks.begin_of`.
    """
    tokens, others, heads, depth, windows = sizes
    q_width, k_width, v_width, out_width = widths
    inverse_scale, offset, high = numbers
    padded = (others + COLUMNS - 1) // COLUMNS * COLUMNS
    room = begin * _room_of(others, depth)  # each thread's units begin elsewhere: a room of its own
    scores = room + depth * padded
    mixed = scores + ROWS * padded
    sums = mixed + ROWS * depth
    for unit in range(begin, end):
        image, first = unit // heads, unit % heads * depth
        _keys_across(key, image * others * k_width + first, k_width, scratch, room, (others, depth, padded), scale)
        values_at, done = image * others * v_width + first, 0
        while done < tokens:
            row, rows = max(min(done, tokens - ROWS), 0), min(ROWS, tokens)
            at = (image * tokens + row) * q_width + first
            product(kind, query, at, q_width, scratch, room, padded, scratch, scores, padded, (rows, padded, depth))
            begins = begin_of(mask_steps, image, unit % heads, windows) + row * mask_steps[3]
            _add_rows(mask, begins, mask_steps[3], scratch, scores, (rows, others, padded))
            begins = begin_of(bias_steps, image, unit % heads, windows) + row * bias_steps[3]
            _add_rows(bias, begins, bias_steps[3], scratch, scores, (rows, others, padded))
            _softmax(scratch, scores, sums, rows, others, padded)
            product(
                kind, scratch, scores, padded, value, values_at, v_width, scratch, mixed, depth, (rows, depth, others)
            )
            for i in range(rows):
                factor, source = _factor(scratch[sums + i]), scratch[mixed + i * depth : mixed + (i + 1) * depth]
                place = (image * tokens + row + i) * out_width + first
                if len(out):
                    reals = out[place : place + depth]
                    for d in range(depth):
                        reals[d] = source[d] * factor
                if len(codes):
                    bytes_of = codes[place : place + depth]
                    for d in range(depth):
                        bytes_of[d] = code_of(source[d] * factor, inverse_scale, offset, high, floor)
            done = row + rows
