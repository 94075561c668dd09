"""Samples of a network with several inputs, which are counted and cut as one array would be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from qbench.errors import DataError

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Several:
    """One array (n, ...) for each input, in the network's order; `len` is n, and an index takes samples of all.

    Raises:
        ValueError: on construction, when the arrays hold different numbers of samples, or there are none.
    """

    arrays: tuple[Array, ...]

    def __post_init__(self) -> None:
        """Check that every input has as many samples."""
        counts = {len(array) for array in self.arrays}
        if len(counts) != 1:
            raise ValueError(f"expected as many samples of every input, got {sorted(counts)}")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.arrays[0])

    def __getitem__(self, chosen: slice | npt.NDArray[np.int64]) -> Several:
        """Return some samples: those of a slice, or of indices."""
        return Several(tuple(array[chosen] for array in self.arrays))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays)


Inputs: TypeAlias = "Array | Several"
"""What a network takes: an array where it has one input."""


def arrays_of(inputs: Inputs) -> tuple[Array, ...]:
    """Return an array for each input."""
    return inputs.arrays if isinstance(inputs, Several) else (inputs,)


def only(inputs: Inputs | tuple[Array, ...], who: str) -> Array:
    """Return the array of the one input; raise DataError, which `who` begins, where there are several."""
    arrays = inputs if isinstance(inputs, tuple) else arrays_of(inputs)
    if len(arrays) != 1:
        raise DataError(f"{who}: runs networks of one input here, got one of {len(arrays)}")
    return arrays[0]


def contiguous(inputs: Inputs) -> Inputs:
    """Return the inputs with the numbers of each in one piece."""
    if isinstance(inputs, Several):
        return Several(tuple(np.ascontiguousarray(array) for array in inputs.arrays))
    return np.ascontiguousarray(inputs)
