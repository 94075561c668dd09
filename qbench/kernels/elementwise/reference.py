"""The law of the operations between layers, on u8 codes and on float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


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
