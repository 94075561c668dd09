"""What is added to the scores of attention: rows of a mask, of a bias, of both or of none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32

from qbench.kernels.jit import jit


@jit
def begin_of(steps: Any, group: int, head: int, windows: int) -> Any:
    """Return where the rows of a head begin; `steps` are numbers from (image, window, head, token) to the next."""
    return group // windows * steps[0] + group % windows * steps[1] + head * steps[2]


@jit
def fill_masks(both: Any, begins: Any, steps: Any, reals: Any, at: int, size: Any) -> None:
    """Write the sums of rows of a mask and a bias, either of which may be empty; -inf behind the tokens.

    `size` is (rows, tokens, tokens with those that fill vectors).
    """
    (mask, bias), (rows, others, padded) = both, size
    for i in range(rows):
        line = reals[at + i * padded : at + (i + 1) * padded]
        line[:others] = float32(0.0)
        line[others:] = float32(-np.inf)
        if len(mask):
            given = mask[begins[0] + i * steps[0] : begins[0] + i * steps[0] + others]
            for j in range(others):
                line[j] = given[j]
        if len(bias):
            given = bias[begins[1] + i * steps[1] : begins[1] + i * steps[1] + others]
            for j in range(others):
                line[j] += given[j]
