"""Attention of whole heads on u8 codes: both products sum bytes in int32, the softmax between them gives u8 weights.

The law is `reference.attention_u8`. Keys and values are packed anew for every head, in k-groups as the tiles have
weights; scores, weights and mixing of a few tokens at a time stay in the first cache. Units are heads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, int32

from qbench.kernels.jit import jit
from qbench.kernels.tokens.functions import code_of
from qbench.kernels.tokens.integer_vectors import block_u8_s8, weigh_rows
from qbench.kernels.tokens.masks import begin_of, fill_masks
from qbench.kernels.tokens.rounds import AVX512, COLUMNS, LANES, PORTABLE, ROWS, VNNI, VNNI256, words_of

_words_of = jit(words_of)
SIGNS = -2139062144
"""0x80808080: four signs, which make s8 of u8 codes less 128."""


@jit
def _blocks(
    kind: int, a: Any, a_at: int, a_step: int, b: Any, b_at: int, b_step: int, c: Any, c_at: int, c_step: int, size: Any
) -> None:
    """Write c = a @ b for `size` (rows, columns, k-groups), columns a multiple of 16, as `block_u8_s8` takes them."""
    rows, columns, groups = size
    if kind == PORTABLE:
        _plain(a, a_at, a_step, b, b_at, b_step, c, c_at, c_step, size)
        return
    whole = columns // 32 * 32 if kind in (VNNI, AVX512) else 0
    tall = rows // ROWS * ROWS
    for i in range(0, tall, ROWS):
        x, y = a_at + i * a_step, c_at + i * c_step
        for j in range(0, whole, 32):
            if kind == VNNI:
                block_u8_s8(a, x, a_step, b, b_at + j, b_step, c, y + j, c_step, groups, "8x2x16xvnni")  # type: ignore[call-arg]
            else:
                block_u8_s8(a, x, a_step, b, b_at + j, b_step, c, y + j, c_step, groups, "8x2x16xwiden")  # type: ignore[call-arg]
        for j in range(whole, columns, 16):
            _narrow(kind, a, x, a_step, b, b_at + j, b_step, c, y + j, c_step, groups)
    for i in range(tall, rows):
        for j in range(0, columns, 16):
            _single(kind, a, a_at + i * a_step, b, b_at + j, b_step, c, c_at + i * c_step + j, groups)


@jit
def _narrow(
    kind: int, a: Any, x: int, a_step: int, b: Any, b_at: int, b_step: int, c: Any, y: int, c_step: int, groups: int
) -> None:
    """Write 8 rows of 16 columns."""
    if kind == VNNI:
        block_u8_s8(a, x, a_step, b, b_at, b_step, c, y, c_step, groups, "8x1x16xvnni")  # type: ignore[call-arg]
    elif kind == AVX512:
        block_u8_s8(a, x, a_step, b, b_at, b_step, c, y, c_step, groups, "8x1x16xwiden")  # type: ignore[call-arg]
    else:
        for i in range(0, ROWS, 4):
            first, to = x + i * a_step, y + i * c_step
            if kind == VNNI256:
                block_u8_s8(a, first, a_step, b, b_at, b_step, c, to, c_step, groups, "4x2x8xvnni")  # type: ignore[call-arg]
            else:
                block_u8_s8(a, first, a_step, b, b_at, b_step, c, to, c_step, groups, "4x2x8xwiden")  # type: ignore[call-arg]


@jit
def _single(kind: int, a: Any, x: int, b: Any, b_at: int, b_step: int, c: Any, y: int, groups: int) -> None:
    """Write one row of 16 columns."""
    if kind == VNNI:
        block_u8_s8(a, x, 0, b, b_at, b_step, c, y, 0, groups, "1x1x16xvnni")  # type: ignore[call-arg]
    elif kind == AVX512:
        block_u8_s8(a, x, 0, b, b_at, b_step, c, y, 0, groups, "1x1x16xwiden")  # type: ignore[call-arg]
    elif kind == VNNI256:
        block_u8_s8(a, x, 0, b, b_at, b_step, c, y, 0, groups, "1x2x8xvnni")  # type: ignore[call-arg]
    else:
        block_u8_s8(a, x, 0, b, b_at, b_step, c, y, 0, groups, "1x2x8xwiden")  # type: ignore[call-arg]


@jit
def _plain(
    a: Any, a_at: int, a_step: int, b: Any, b_at: int, b_step: int, c: Any, c_at: int, c_step: int, size: Any
) -> None:
    rows, columns, groups = size
    for i in range(rows):
        out = c[c_at + i * c_step : c_at + i * c_step + columns]
        out[:] = 0
        for k in range(groups):
            at, line = a_at + i * a_step + 4 * k, b[b_at + k * b_step : b_at + k * b_step + columns]
            x0, x1, x2, x3 = int32(a[at]), int32(a[at + 1]), int32(a[at + 2]), int32(a[at + 3])
            for j in range(columns):
                w = int32(line[j])
                total = x0 * (int32(w << 24) >> 24) + x1 * (int32(w << 16) >> 24)
                out[j] += int32(total + x2 * (int32(w << 8) >> 24) + x3 * (w >> 24))


@jit
def _pack_keys(keys: Any, start: int, step: int, scratch: Any, room: int, size: Any) -> None:
    """Write a head's keys, words of four channels of one token, a line for each k-group; zeros behind the tokens."""
    others, groups, padded = size
    for g in range(groups):
        line = scratch[room + g * padded : room + (g + 1) * padded]
        for j in range(others):
            line[j] = keys[start + j * step + g] ^ int32(SIGNS)
        line[others:] = 0


@jit
def _pack_values(values: Any, start: int, step: int, scratch: Any, room: int, size: Any) -> None:
    """Write a head's values, words of four tokens of one channel, a line for each k-group; zeros behind both."""
    others, depth, groups, wide = size
    for g in range(groups):
        line = scratch[room + g * wide : room + (g + 1) * wide]
        line[:] = 0
        for i in range(min(4, others - 4 * g)):
            row = values[start + (4 * g + i) * step : start + (4 * g + i) * step + depth]
            for d in range(depth):
                line[d] |= int32((int32(row[d]) ^ 128) << (8 * i))


@jit
def attention_u8(
    begin: int, end: int, query: Any, keys: Any, values: Any, mask: Any, bias: Any, mask_steps: Any, bias_steps: Any,
    out: Any, codes: Any, scratch: Any, sizes: Any, widths: Any, zeros: Any, scales: Any, numbers: Any, floor: bool,
    kind: int,
) -> None:  # fmt: skip
    """Write attention on codes as float32, as codes, or as both, where the array is not empty.

    `keys` are int32, four codes a word; `scratch` is the same memory as int32, u8 and float32, `words_of(...)` words
    a unit. `sizes` is (query tokens, key tokens, heads, a head's channels, windows), `widths` the words of a row of
    query, key, value and output, `zeros` the zero points of query and value, `scales` those of scores and of values.
    Masks and their steps are those of `masks`.
    """
    words, some, reals = scratch
    tokens, others, heads, depth, windows = sizes
    q_width, k_width, v_width, out_width = widths
    inverse_scale, offset, high = numbers
    padded, wide = (others + COLUMNS - 1) // COLUMNS * COLUMNS, (depth + LANES - 1) // LANES * LANES
    groups = depth // 4
    room = begin * _words_of(others, depth)  # each thread's units begin elsewhere: a room of its own
    mixing = room + groups * padded
    less = mixing + padded // 4 * wide
    masks = less + padded
    scores = masks + ROWS * padded
    weights = scores + ROWS * padded
    mixed = weights + ROWS * padded // 4
    totals = mixed + ROWS * wide
    has_mask = len(mask) + len(bias) > 0
    for unit in range(begin, end):
        group, head = unit // heads, unit % heads
        first = head * depth
        places = begin_of(mask_steps, group, head, windows), begin_of(bias_steps, group, head, windows)
        _pack_keys(keys, (group * others * k_width + first) // 4, k_width // 4, words, room, (others, groups, padded))
        values_at = group * others * v_width + first
        _pack_values(values, values_at, v_width, words, mixing, (others, depth, padded // 4, wide))
        some[4 * weights : 4 * weights + depth] = np.uint8(zeros[0])
        _blocks(kind, some, 4 * weights, 0, words, room, padded, words, less, padded, (1, padded, groups))
        if not has_mask:
            fill_masks((mask, bias), (0, 0), (0, 0), reals, masks, (1, others, padded))
        done = 0
        while done < tokens:
            row, rows = max(min(done, tokens - ROWS), 0), min(ROWS, tokens)
            at = (group * tokens + row) * q_width + first
            size = (rows, padded, groups)
            _blocks(kind, query, at, q_width, words, room, padded, words, scores, padded, size)
            if has_mask:
                steps = mask_steps[3], bias_steps[3]
                begins = places[0] + row * steps[0], places[1] + row * steps[1]
                fill_masks((mask, bias), begins, steps, reals, masks, (rows, others, padded))
            step = padded if has_mask else 0
            if rows == ROWS:
                weigh_rows(words, scores, padded, less, masks, step, scales[0], some, 4 * weights, totals, 8)  # type: ignore[call-arg]
            else:
                for i in range(rows):
                    line, to = scores + i * padded, 4 * weights + i * padded
                    weigh_rows(words, line, padded, less, masks + i * step, 0, scales[0], some, to, totals + i, 1)  # type: ignore[call-arg]
            size = (rows, wide, padded // 4)
            _blocks(kind, some, 4 * weights, padded, words, mixing, wide, words, mixed, wide, size)
            for i in range(rows):
                total, source = words[totals + i], words[mixed + i * wide : mixed + i * wide + depth]
                factor = scales[1] / float32(total) if total else float32(0.0)
                less_of, place = int32((zeros[1] - 128) * total), (group * tokens + row + i) * out_width + first
                if len(out):
                    made = out[place : place + depth]
                    for d in range(depth):
                        made[d] = float32(int32(source[d] - less_of)) * factor
                if len(codes):
                    written = codes[place : place + depth]
                    for d in range(depth):
                        real = float32(int32(source[d] - less_of)) * factor
                        written[d] = code_of(real, inverse_scale, offset, high, floor)
            done = row + rows
