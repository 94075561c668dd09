"""The one number that is wrong: a mean error over a million others does not show it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats

EXACT, ROUNDED = 1e-5, 1e-4
"""Shares of the root mean square by which a single number may be off: of sums of whole numbers that are scaled in
float32 in some order, and of sums of float32 numbers."""


def place_of(distances: npt.NDArray[Any]) -> str:
    """Return the indices of the largest, e.g. `[0, 17]`."""
    return str([int(index) for index in np.unravel_index(int(np.argmax(distances)), distances.shape)])


def far_element(found: npt.NDArray[Any], expected: npt.NDArray[Any], share: float) -> str:
    """Return which number is further off than a share of the root mean square of all, and how far; "" for none.

    Whole numbers may not be off at all.
    """
    if expected.dtype.kind != "f":
        return "" if np.array_equal(found, expected) else f"another number at {place_of(found != expected)}"
    wanted: Floats = np.asarray(expected, np.float64)
    distances = np.abs(np.asarray(found, np.float64) - wanted)
    limit = share * float(np.sqrt(np.mean(np.square(wanted)))) if wanted.size else 0.0
    if bool(np.all(distances <= limit)):
        return ""
    distances = np.nan_to_num(distances, nan=np.inf)
    at = np.unravel_index(int(np.argmax(distances)), distances.shape)
    return f"{found[at]:.6g} at {place_of(distances)}, expected {expected[at]:.6g}"
