from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

Bools = npt.NDArray[np.bool_]
Rows = Callable[[int, int, int, int], tuple[Bools, Bools]]


@pytest.fixture
def rows() -> Rows:
    """Two rows of correctness with the given 2 x 2 table: both right, lost, gained, neither."""

    def make(both: int, lost: int, gained: int, neither: int) -> tuple[Bools, Bools]:
        ref = np.repeat([True, True, False, False], [both, lost, gained, neither])
        new = np.repeat([True, False, True, False], [both, lost, gained, neither])
        return ref, new

    return make
