"""Which weights sum in pairs to 16 bits, and products of weights of which some do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from qbench.kernels import variants
from qbench.kernels.gemm.operation import Gemm
from qbench.kernels.tiles.pairs import group_order, safe_groups

PAIRED = [target.name for target in variants.available() if target.dot == "pairs"]


def test_a_pair_of_weights_is_safe_up_to_the_last_sum_that_255_times_stays_in_16_bits() -> None:
    codes = np.array(
        [[64, 64, -64, -64], [65, 64, 0, 0], [-65, -64, 0, 0], [127, -128, 1, -128], [0, 0, 127, 2]], np.int8
    )
    assert safe_groups(codes)[:, 0].tolist() == [True, False, False, True, False]
    assert 255 * 128 < 2**15 < 255 * 129


def test_weights_that_are_all_safe_keep_their_order() -> None:
    assert group_order(np.full((16, 64), 64, np.int8), 16, 8) is None


def test_safe_groups_of_a_panel_come_first_in_whole_units() -> None:
    codes = np.zeros((32, 4 * 12), np.int8)
    codes[3, 4:6] = 127
    codes[17:, :] = -128
    order = group_order(codes, 16, 4)
    assert order is not None
    assert order.safe.tolist() == [8, 0]
    assert order.k_groups[0].tolist() == [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1]
    moved = order.apply(codes, 16)
    assert not moved[:16, : 4 * 8].any()
    assert np.array_equal(np.sort(moved, axis=1), np.sort(codes, axis=1))


def _bell(rng: np.random.Generator, spread: float) -> npt.NDArray[np.int16]:
    return np.clip(np.rint(rng.standard_normal((50, 1156)) * spread), -128, 127).astype(np.int16)


@pytest.mark.skipif(not PAIRED, reason="no instruction set of this machine multiplies in pairs")
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 37])
@pytest.mark.parametrize("spread", [8.0, 32.0, 60.0])
def test_products_of_partly_safe_weights_are_exact(rows: int, spread: float) -> None:
    rng = np.random.default_rng(3)
    rhs = _bell(rng, spread)
    lhs = rng.integers(0, 256, (rows, rhs.shape[1])).astype(np.uint8)
    lhs[0] = 255
    product = Gemm(rhs, variant=PAIRED[0])
    order = product.weights.order
    assert order is None if spread < 10 else order is not None
    if spread == 32.0:
        assert order is not None
        assert 0 < order.safe.min() < rhs.shape[1] // 4
    assert np.array_equal(product.run(lhs), lhs.astype(np.int64) @ rhs.astype(np.int64).T)
