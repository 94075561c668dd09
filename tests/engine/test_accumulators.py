"""Sums of fewer bits: exactly those of an interpretation in plain integers, and nothing lost at the proven width."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from qbench.core.accumulator import Accumulator, parse_accumulators
from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import build_session
from qbench.engine.lowering.accumulators import bound_of
from qbench.errors import QBenchError
from qbench.graph import Linear, Network, QuantizedNetwork
from qbench.methods import ActivationStats

from .conftest import quantized

DEPTH, ROWS = 37, 5


def one_layer(codes: np.ndarray) -> QuantizedNetwork:
    """A product of 4-bit codes with scale 1 by 8-bit activations with scale 1 and zero point 100."""
    spec = parse_spec("w4c-a8t")
    weights = QTensor(
        codes.astype(np.int16), QParams(spec.weights, np.ones(ROWS, np.float32), np.zeros(ROWS, np.float32))
    )
    activations = QParams(spec.activations, np.asarray(1, np.float32), np.asarray(100, np.float32))
    layer = Linear("y", "x", "y", codes.astype(np.float32), np.zeros(ROWS, np.float32))
    network = Network("one", "x", (DEPTH,), "y", (layer,), {"x": (DEPTH,), "y": (ROWS,)}, {}, "")
    return QuantizedNetwork(network, {"y": weights}, {"x": activations})


def interpreted(x: Floats, codes: np.ndarray, bits: int, overflow: str) -> Floats:
    """The sums in Python's integers, one product after the other."""
    half, found = 2 ** (bits - 1), np.zeros((len(x), ROWS))
    for image, row in enumerate(x.astype(int).tolist()):
        for n, weights in enumerate(codes.astype(int).tolist()):
            total = 0
            for value, weight in zip(row, weights, strict=True):
                total += value * weight
                total = (
                    min(max(total, -half), half - 1) if overflow == "saturate" else (total + half) % (2 * half) - half
                )
            found[image, n] = total
    return found.astype(np.float32)


@pytest.mark.parametrize("overflow", ["wrap", "saturate"])
@pytest.mark.parametrize("bits", [8, 11, 14, 31])
def test_each_addition_is_that_of_plain_integers(bits: int, overflow: str) -> None:
    draw = np.random.default_rng(bits)
    codes = draw.integers(-8, 8, (ROWS, DEPTH))
    codes[0], codes[1] = -8, 7  # the worst cases
    x = draw.integers(-100, 156, (6, DEPTH)).astype(np.float32)
    x[0], x[1] = 155, -100
    with build_session(one_layer(codes), accumulator=Accumulator(bits, overflow)) as session:  # type: ignore[arg-type]
        assert session.execution == "simulated"
        np.testing.assert_array_equal(session.run(x), interpreted(x, codes, bits, overflow))


def test_the_bound_is_reached_by_no_more_than_the_worst_input() -> None:
    codes = np.full((ROWS, DEPTH), -8)
    network = one_layer(codes)
    bound = bound_of(network.network.layers[0], network.weights["y"], network.activations["x"])
    assert bound is not None
    assert bound.largest == 155 * 8 * DEPTH
    assert bound.bits == int(np.ceil(np.log2(bound.largest + 1))) + 1
    worst = np.full((1, DEPTH), 155, np.float32)
    for bits, same in ((bound.bits, True), (bound.bits - 1, False)):
        with build_session(network, accumulator=Accumulator(bits, "saturate")) as session:
            assert np.array_equal(session.run(worst), np.full((1, ROWS), -bound.largest)) == same


@pytest.mark.parametrize(("token", "method"), [("w8c-a8t", "mse"), ("w4g32-a8t", "mse"), ("wtc-att", "ternary")])
def test_nothing_is_lost_at_the_width_that_is_proven(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats], token: str, method: str
) -> None:
    made = QuantizedNetwork(network, *quantized(network, stats, token, method))
    bounds = [
        bound_of(layer, made.weights[layer.name], made.activations[network.unflattened(layer.input)])
        for layer in network.layers
    ]
    bits = max(bound.bits for bound in bounds if bound is not None)
    with build_session(made) as plain:
        expected = plain.run(images[:4])
    for overflow in ("wrap", "saturate"):
        with build_session(made, accumulator=Accumulator(bits, overflow)) as session:  # type: ignore[arg-type]
            np.testing.assert_array_equal(session.run(images[:4]), expected)
    if token == "w8c-a8t":
        with build_session(made, accumulator=Accumulator(12, "wrap")) as session:
            assert not np.array_equal(session.run(images[:4]), expected)


def test_a_layer_without_whole_codes_has_no_bound(network: Network, stats: Mapping[str, ActivationStats]) -> None:
    weights, activations = quantized(network, stats, "w4kmc-a8t", "kmeans")
    layer = network.layers[0]
    assert bound_of(layer, weights[layer.name], activations[layer.input]) is None
    assert bound_of(layer, None, activations[layer.input]) is None
    assert bound_of(layer, weights[layer.name], None) is None


def test_a_word_says_bits_and_what_becomes_of_the_rest() -> None:
    assert [one.text for one in parse_accumulators("16")] == ["16-wrap", "16-saturate"]
    assert parse_accumulators("14-saturate") == (Accumulator(14, "saturate"),)
    for wrong in ("7", "32", "16-clip", "x", ""):
        with pytest.raises(QBenchError, match="expected 8"):
            parse_accumulators(wrong)
