"""What an LSTM or GRU does behind its products, one step at a time, and the states before the first and after the last.

Buffers are flat float32; codes are u8. A row of gates holds all gates of one token, `channels` numbers each, in ONNX's
order: i, o, f, c of an LSTM, z, r, h of a GRU. Units are images; `clock` holds the number of the step.
"""

from __future__ import annotations

from typing import Any

from numba import float32

from qbench.kernels.jit import inlined, jit
from qbench.kernels.tiles.portable import fma
from qbench.kernels.tokens.functions import code_of, exp_f32


@inlined
def sigmoid_f32(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return float32(1.0) / (float32(1.0) + exp_f32(-x))


@inlined
def tanh_f32(x: Any) -> Any:
    """Return tanh(x) as 1 - 2 / (1 + exp(2 x)), within 2e-7."""
    return float32(1.0) - float32(2.0) / (float32(1.0) + exp_f32(float32(2.0) * x))


@jit
def begin_rows(begin: int, end: int, first: Any, state: Any, codes: Any, sizes: Any, numbers: Any, floor: bool) -> None:
    """Write a state before the first step: that of `first`, zeros where it is empty; and its codes, where wanted.

    `sizes` are (channels, width of `first`, width of `state` and `codes`).
    """
    channels, given, width = sizes
    inverse_scale, offset, high = numbers
    for image in range(begin, end):
        row = state[image * width : image * width + channels]
        for i in range(channels):
            row[i] = first[image * given + i] if len(first) else float32(0.0)
        if len(codes):
            _encode(row, codes[image * width : image * width + channels], inverse_scale, offset, high, floor)


@jit
def end_rows(begin: int, end: int, state: Any, last: Any, sizes: Any) -> None:
    """Write a state after the last step; `sizes` are (channels, width of `state`, width of `last`)."""
    channels, width, made = sizes
    for image in range(begin, end):
        _copy(state[image * width : image * width + channels], last[image * made : image * made + channels])


@jit
def _copy(source: Any, target: Any) -> None:
    for i in range(len(source)):
        target[i] = source[i]


@jit
def _encode(row: Any, codes: Any, inverse_scale: Any, offset: Any, high: Any, floor: bool) -> None:
    for i in range(len(row)):
        codes[i] = code_of(row[i], inverse_scale, offset, high, floor)


@jit
def _sigmoids(row: Any, gates: Any) -> None:
    for i in range(len(row)):
        row[i] = sigmoid_f32(row[i] + gates[i])


@jit
def _tangents(row: Any, gates: Any) -> None:
    for i in range(len(row)):
        row[i] = tanh_f32(row[i] + gates[i])


@jit
def _mix(cell: Any, write: Any, keep: Any, new: Any) -> None:
    for i in range(len(cell)):
        cell[i] = fma(keep[i], cell[i], write[i] * new[i])  # type: ignore[call-arg]


@jit
def _show(hidden: Any, cell: Any, read: Any, out: Any) -> None:
    for i in range(len(hidden)):
        shown = read[i] * tanh_f32(cell[i])
        hidden[i] = shown
        out[i] = shown


@jit
def lstm_step(
    begin: int, end: int, gates: Any, product: Any, states: Any, codes: Any, out: Any, before: Any, clock: Any,
    sizes: Any, numbers: Any, floor: bool, reverse: bool,
) -> None:  # fmt: skip
    """Take one step of an LSTM: cell = f * cell + i * c, hidden = o * tanh(cell).

    `states` are (hidden, cell), `sizes` (channels, tokens, widths of gates, product, states and tokens).
    """
    channels, tokens, wide, made, width, step = sizes
    inverse_scale, offset, high = numbers
    hidden, cell = states
    token = tokens - 1 - clock[0] if reverse else clock[0]
    for image in range(begin, end):
        row, at = product[image * made : image * made + 4 * channels], image * width
        h, c, place = hidden[at : at + channels], cell[at : at + channels], (image * tokens + token) * step
        _copy(h, before[place : place + channels])
        given = gates[(image * tokens + token) * wide :]
        _sigmoids(row[: 3 * channels], given)
        _tangents(row[3 * channels :], given[3 * channels :])
        _mix(c, row[:channels], row[2 * channels : 3 * channels], row[3 * channels :])
        _show(h, c, row[channels : 2 * channels], out[place : place + channels])
        if len(codes):
            _encode(h, codes[at : at + channels], inverse_scale, offset, high, floor)


@jit
def _reset(new: Any, reset: Any, gates: Any) -> None:
    for i in range(len(new)):
        new[i] = tanh_f32(fma(reset[i], new[i], gates[i]))  # type: ignore[call-arg]


@jit
def _between(hidden: Any, update: Any, new: Any, out: Any) -> None:
    for i in range(len(hidden)):
        shown: Any = fma(update[i], hidden[i] - new[i], new[i])  # type: ignore[call-arg]
        hidden[i] = shown
        out[i] = shown


@jit
def gru_step(
    begin: int, end: int, gates: Any, product: Any, states: Any, codes: Any, out: Any, before: Any, clock: Any,
    sizes: Any, numbers: Any, floor: bool, reverse: bool,
) -> None:  # fmt: skip
    """Take one step of a GRU that resets behind its product: n = tanh(r * product + gates), h = z * h + (1 - z) * n.

    `states` are (hidden,), the other arguments as in `lstm_step`.
    """
    channels, tokens, wide, made, width, step = sizes
    inverse_scale, offset, high = numbers
    hidden = states[0]
    token = tokens - 1 - clock[0] if reverse else clock[0]
    for image in range(begin, end):
        row, at = product[image * made : image * made + 3 * channels], image * width
        given = gates[(image * tokens + token) * wide :]
        h, place = hidden[at : at + channels], (image * tokens + token) * step
        _copy(h, before[place : place + channels])
        _sigmoids(row[: 2 * channels], given)
        new = row[2 * channels :]
        _reset(new, row[channels : 2 * channels], given[2 * channels :])
        _between(h, row[:channels], new, out[place : place + channels])
        if len(codes):
            _encode(h, codes[at : at + channels], inverse_scale, offset, high, floor)
