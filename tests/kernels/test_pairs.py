"""Which weights sum in pairs to 16 bits, and products of weights of which some do."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from qbench.graph import Conv, read_onnx
from qbench.kernels import variants
from qbench.kernels.gemm.operation import Gemm
from qbench.kernels.tiles.pairs import group_order, numbers_of
from qbench.zoo import model_path

PAIRED = [target.name for target in variants.available() if target.dot == "pairs"]
WIDTH = 16


def _fit(one: npt.NDArray[np.int8], two: npt.NDArray[np.int8]) -> bool:
    """Whether 255 times the weights of either sign stays in 16 bits for every channel."""
    pair = np.stack([one, two]).astype(np.int64)
    above, below = np.maximum(pair, 0).sum(axis=0), np.minimum(pair, 0).sum(axis=0)
    return bool((255 * above < 2**15).all() and (255 * below >= -(2**15)).all())


@pytest.mark.parametrize(
    ("pair", "fits"),
    [
        ((64, 64), True),
        ((65, 64), False),
        ((-64, -64), True),
        ((-65, -64), False),
        ((127, -128), True),
        ((127, 1), True),
    ],
)
def test_two_weights_fit_where_255_times_their_sum_stays_in_16_bits(pair: tuple[int, int], fits: bool) -> None:
    codes = np.zeros((1, 4), np.int8)
    codes[0, :2] = pair
    order = group_order(codes, WIDTH, 1, 4)
    assert _fit(codes[:, 0], codes[:, 1]) is fits
    assert (order is None) is fits


def test_weights_that_are_all_safe_stay_where_they_are() -> None:
    assert group_order(np.full((16, 64), 64, np.int8), WIDTH, 8, 64) is None
    mixed = np.tile(np.array([127, -128, 127, 0], np.int8), (16, 16))
    assert group_order(mixed, WIDTH, 8, 64) is None


def test_partners_are_sought_among_the_16_numbers_of_a_window() -> None:
    codes = np.zeros((16, 32), np.int8)
    codes[3, [0, 1, 16, 17]] = 100
    order = group_order(codes, WIDTH, 1, 32)
    assert order is not None
    assert order.ends.tolist() == [[6, 8]]
    moved = order.apply(codes, WIDTH)
    assert all(_fit(moved[:, i], moved[:, i + 1]) for i in range(0, 32, 2))


def test_one_pair_moves_apart_where_that_makes_two() -> None:
    together = [(0, 3), (1, 2), (0, 1)]  # 0 and 1 stand together, and must part for 2 and 3 to find partners
    codes = np.zeros((WIDTH, 4), np.int8)
    apart = [pair for pair in combinations(range(4), 2) if pair not in together]
    for channel, pair in enumerate(apart):
        codes[channel, list(pair)] = 100
    order = group_order(codes, WIDTH, 1, 4)
    assert order is not None
    assert order.ends.tolist() == [[0, 1]]
    numbers = numbers_of(order.taken[0]).tolist()
    assert {frozenset(numbers[i : i + 2]) for i in (0, 2)} == {frozenset({0, 3}), frozenset({1, 2})}


@pytest.mark.parametrize(("taps", "depth"), [(1, 4), (3, 4), (9, 20), (2, 24), (4, 64), (1, 1156)])
@pytest.mark.parametrize("spread", [20.0, 45.0, 90.0])
def test_every_panel_takes_every_number_once_the_safe_ones_first(taps: int, depth: int, spread: float) -> None:
    rng = np.random.default_rng(taps * depth)
    codes = np.clip(np.rint(rng.standard_normal((50, taps * depth)) * spread), -128, 127).astype(np.int8)
    order = group_order(codes, WIDTH, 2, depth)
    if order is None:
        assert all(
            _fit(codes[i : i + WIDTH, j], codes[i : i + WIDTH, j + 1])
            for i in (0, 16, 32, 48)
            for j in range(0, codes.shape[1], 2)
        )
        return
    moved, offsets = order.apply(codes, WIDTH), 4 * np.arange(taps * depth // 4)
    places = order.places(offsets)
    bytes_of = (places >> 32).astype(np.uint32)[..., None].view(np.uint8)
    for panel, numbers in enumerate(map(numbers_of, order.taken)):
        assert sorted(numbers) == list(range(taps * depth))
        taken = ((places[panel] & 0xFFFFFFFF)[:, None] + bytes_of[panel]).ravel()
        assert taken.tolist() == numbers.tolist()
        channels = moved[panel * WIDTH : (panel + 1) * WIDTH]
        plain, safe = order.ends[panel].tolist()
        assert plain % 2 == safe % 2 == 0
        assert np.array_equal(numbers[: 4 * plain : 4] % 4, np.zeros(plain))
        assert np.array_equal(np.diff(numbers[: 4 * plain].reshape(-1, 4)), np.ones((plain, 3)))
        assert all(_fit(channels[:, i], channels[:, i + 1]) for i in range(0, 4 * safe, 2))


def test_nearly_all_weights_of_a_trained_network_find_partners() -> None:
    safe = total = 0
    for node in read_onnx(model_path("resnet20")).nodes:
        if isinstance(node, Conv):
            weights = node.weight.transpose(0, 2, 3, 1)
            codes = np.rint(weights / np.abs(weights).max(axis=(1, 2, 3), keepdims=True) * 127).astype(np.int8)
            codes = np.pad(codes, ((0, 0), (0, 0), (0, 0), (0, -codes.shape[3] % 4)))
            order = group_order(codes.reshape(len(codes), -1), WIDTH, 1, codes.shape[3])
            panels = len(codes) // WIDTH * codes[0].size // 4
            total += panels
            safe += panels if order is None else int(order.ends[:, 1].sum())
    assert safe / total > 0.98


def _bell(rng: np.random.Generator, spread: float) -> npt.NDArray[np.int16]:
    return np.clip(np.rint(rng.standard_normal((50, 1156)) * spread), -128, 127).astype(np.int16)


@pytest.mark.skipif(not PAIRED, reason="no instruction set of this machine multiplies in pairs")
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 37])
@pytest.mark.parametrize("spread", [8.0, 32.0, 60.0, 1000.0])
def test_products_of_partly_safe_weights_are_exact(rows: int, spread: float) -> None:
    rng = np.random.default_rng(3)
    rhs = _bell(rng, spread)
    lhs = rng.integers(0, 256, (rows, rhs.shape[1])).astype(np.uint8)
    lhs[0] = 255
    product = Gemm(rhs, variant=PAIRED[0])
    order = product.weights.order
    assert (order is not None) is (10 < spread < 100)
    assert product.weights.widened is (spread > 100)
    if spread == 60.0:
        assert order is not None
        assert 0 < order.ends[:, 1].min() < rhs.shape[1] // 4
    assert np.array_equal(product.run(lhs), lhs.astype(np.int64) @ rhs.astype(np.int64).T)
