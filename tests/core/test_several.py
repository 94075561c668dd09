"""Several inputs are counted and cut as one array would be."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.core.several import Several, arrays_of, contiguous, only
from qbench.errors import DataError

ONE, OTHER = np.arange(12).reshape(4, 3), np.arange(8).reshape(4, 2)


def test_samples_of_all_inputs_are_taken_together() -> None:
    both = Several((ONE, OTHER))
    assert (len(both), both.nbytes) == (4, ONE.nbytes + OTHER.nbytes)
    for chosen in (slice(1, 3), np.array([3, 0, 0])):
        part = both[chosen]
        for found, whole in zip(part.arrays, (ONE, OTHER), strict=True):
            np.testing.assert_array_equal(found, whole[chosen])
    assert all(array.flags.c_contiguous for array in arrays_of(contiguous(Several((ONE.T, ONE.T)))))


def test_one_input_is_an_array() -> None:
    assert arrays_of(ONE) == (ONE,)
    assert only(ONE, "it") is only((ONE,), "it") is ONE
    assert arrays_of(Several((ONE, OTHER))) == (ONE, OTHER)
    with pytest.raises(DataError, match="it: runs networks of one input here, got one of 2"):
        only(Several((ONE, OTHER)), "it")


def test_inputs_of_different_lengths_do_not_go_together() -> None:
    with pytest.raises(ValueError, match=r"as many samples of every input, got \[3, 4\]"):
        Several((ONE, ONE[1:]))
