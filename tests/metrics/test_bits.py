import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.errors import ResultsError
from qbench.metrics import pack_bits, unpack_bits


@given(st.lists(st.booleans(), max_size=70))
def test_unpacking_gives_back_what_was_packed(values: list[bool]) -> None:
    assert unpack_bits(pack_bits(np.array(values, dtype=bool)), len(values)).tolist() == values


def test_text_of_another_length_is_refused() -> None:
    with pytest.raises(ResultsError, match="expected 2 bytes for 9 images, got 1"):
        unpack_bits(pack_bits(np.ones(8, dtype=bool)), 9)


def test_text_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ResultsError, match="not base64"):
        unpack_bits("§§", 8)
