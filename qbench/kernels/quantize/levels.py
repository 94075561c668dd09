"""The table that finds a number's level."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def level_starts(midpoints: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Return the level of the least number with each upper half of a float32's bits; int16 (65536,)."""
    halves = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    least = np.where(halves >> np.uint32(31), halves | np.uint32(0xFFFF), halves).astype(np.uint32).view(np.float32)
    return np.searchsorted(midpoints, np.nan_to_num(least, nan=np.inf)).astype(np.int16)
