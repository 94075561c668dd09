"""The law of the operations between layers, on u8 codes and on float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Beside = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]
"""For each place the two beside it, and how near the second is."""


def add_u8_u8_u8(
    a: Bytes, b: Bytes, scale_a: float, scale_b: float, offset: float, low: float, high: float, *, floor: bool
) -> Bytes:
    """Return clip(round(a * scale_a + b * scale_b + offset), low, high), each operation rounded once to float32."""
    t = a.astype(np.float32) * np.float32(scale_a) + b.astype(np.float32) * np.float32(scale_b) + np.float32(offset)
    return np.clip(np.floor(t) if floor else np.rint(t), low, high).astype(np.uint8)


def table_u8_u8(a: Bytes, table: Bytes) -> Bytes:
    """Return `table[a]`: any function of one code (rescale, clamp) as 256 entries."""
    return table[a]


def add_f32_f32_f32(a: Floats, b: Floats, low: float, high: float) -> Floats:
    """Return clip(a + b, low, high)."""
    total: Floats = np.clip(a + b, np.float32(low), np.float32(high))
    return total


def channel_tables_u8_u8(a: Bytes, tables: Bytes) -> Bytes:
    """Return tables[c, a] for every channel c of a (..., c)."""
    return tables[np.arange(a.shape[-1]), a]


def select_u8_u8(a: Bytes, channels: npt.NDArray[np.int64], table: Bytes) -> Bytes:
    """Return the chosen channels, each code through a table; entry 256 of it where the channel is -1."""
    return np.where(channels < 0, table[-1], table[a[..., channels]])


def concat_u8_u8(parts: list[Bytes], tables: Bytes) -> Bytes:
    """Return the parts side by side, each code through its part's table."""
    return np.concatenate([table[part] for part, table in zip(parts, tables, strict=True)], axis=-1)


def resize_u8_u8(a: Bytes, factors: tuple[int, int], table: Bytes) -> Bytes:
    """Return every pixel repeated down and across, each code through a table."""
    return table[a.repeat(factors[0], axis=1).repeat(factors[1], axis=2)]


def depth_to_space(a: npt.NDArray[Any], block: int) -> npt.NDArray[Any]:
    """Return images (n, h * block, w * block, c) of images (n, h, w, c * block^2).

    Channel c * block^2 + i * block + j goes to row i and column j of a block.
    """
    n, h, w, c = a.shape
    parts = a.reshape(n, h, w, c // block**2, block, block).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, h * block, w * block, c // block**2)


def neighbours(old: int, new: int, coordinates: str) -> Beside:
    """Return for each of `new` places the two of `old` beside it, as ONNX's Resize has it."""
    place = np.arange(new, dtype=np.float64)
    if coordinates == "align_corners":
        at = place * (old - 1) / max(1, new - 1)
    elif coordinates == "asymmetric":
        at = place * old / new
    else:
        at = (place + 0.5) * old / new - 0.5
        at = np.zeros(1) if coordinates == "pytorch_half_pixel" and new == 1 else at
    at = np.clip(at, 0, old - 1)
    first = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, old - 1), (at - first).astype(np.float32)


def interpolate(a: npt.NDArray[Any], rows: Beside, columns: Beside) -> Floats:
    """Return images (n, h, w, c) linear between their neighbours, in float32: across first, then down."""
    reals = a.astype(np.float32)
    (left, right, x), (above, below, y) = columns, rows
    lines: Floats = reals[:, :, left] + (reals[:, :, right] - reals[:, :, left]) * x[:, None]
    found: Floats = lines[:, above] + (lines[:, below] - lines[:, above]) * y[:, None, None]
    return found


def mul_u8_u8_u8(
    a: Bytes, b: Bytes, numbers: tuple[float, float, float, float], low: float, high: float, *, floor: bool
) -> Bytes:
    """Return clip(round((a - zero_a) * (b - zero_b) * multiplier + offset)), each operation rounded to float32."""
    zero_a, zero_b, multiplier, offset = (np.float32(value) for value in numbers)
    product = (a.astype(np.float32) - zero_a) * (b.astype(np.float32) - zero_b)
    t: npt.NDArray[np.float32] = product * multiplier + offset
    return np.clip(np.floor(t) if floor else np.rint(t), low, high).astype(np.uint8)


EXPONENTIALS = ("exp", "sigmoid", "silu", "tanh")
"""The functions of one number that are made of an exponential alone."""


def exponential_f32_f32(name: str, x: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    """Return one of `EXPONENTIALS`, computed in float64; `factor` is silu's, of x within the sigmoid."""
    t = x.astype(np.float64)
    with np.errstate(all="ignore"):
        match name:
            case "exp":
                found = np.exp(t)
            case "sigmoid":
                found = 1 / (1 + np.exp(-t))
            case "silu":
                found = t * (1 / (1 + np.exp(-factor * t)))
            case _:
                found = np.tanh(t)
        reals: npt.NDArray[np.float32] = found.astype(np.float32)
    return reals
