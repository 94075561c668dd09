"""Float layers beside integer ones: each is what it says, all else stays in integers, and a simulation agrees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import Session, build_session
from qbench.graph import Conv, Network, QuantizedNetwork
from qbench.kernels import variants
from qbench.methods import ActivationStats

from . import oracle
from .conftest import Quantized, quantized


@pytest.fixture(scope="module")
def whole(network: Network, stats: Mapping[str, ActivationStats]) -> Quantized:
    return quantized(network, stats, "w8c-a8t", "mse")


def without(network: Network, whole: Quantized, *layers: str, weights_only: str = "") -> QuantizedNetwork:
    """Return the network with some layers in float32, and one with codes for its weights alone."""
    weights, activations = whole
    apart = [node for node in network.layers if node.name in (*layers, weights_only)]
    others = {node.input for node in network.layers if node not in apart}
    entered = {network.unflattened(node.input) for node in apart if node.input not in others}
    return QuantizedNetwork(
        network,
        {name: codes for name, codes in weights.items() if name not in layers},
        {name: params for name, params in activations.items() if name not in entered},
    )


def session_of(made: QuantizedNetwork, **how: object) -> Session:
    return build_session(made, **how)  # type: ignore[arg-type]


def ends(network: Network) -> tuple[str, str]:
    return network.layers[0].name, network.layers[-1].name


@pytest.mark.parametrize("case", ["ends", "last", "middle", "weights only"])
def test_layers_in_float_leave_all_others_in_integers(
    network: Network, images: Floats, whole: Quantized, case: str
) -> None:
    first, last = ends(network)
    middle = network.layers[9].name
    made = {
        "ends": without(network, whole, first, last),
        "last": without(network, whole, last),
        "middle": without(network, whole, middle),
        "weights only": without(network, whole, weights_only=middle),
    }[case]
    session = session_of(made)
    assert session.execution == "mixed"
    assert session.reasons.keys() == {"ends": {first, last}, "last": {last}}.get(case, {middle})
    floats = {step.name for step in session.plan.steps if not step.in_integers} & {n.name for n in network.layers}
    assert floats == session.reasons.keys()
    got, want = session.run(images), oracle.run(network, made.weights, made.activations, images)
    close = np.abs(got - want).max(axis=1) / np.abs(want).max()
    assert np.median(close) < 2e-2
    assert np.mean(got.argmax(1) == want.argmax(1)) >= 0.9


@pytest.mark.parametrize("alone", [False, True])
def test_every_variant_gives_the_same_bits_where_float_layers_sum_alike(
    network: Network, images: Floats, whole: Quantized, *, alone: bool
) -> None:
    made = without(network, whole, *ends(network))
    if alone:  # codes are added to what becomes float32 numbers
        node = next(node for node in network.layers if isinstance(node, Conv) and node.residual)
        beside = {name: whole[1][name] for name in (node.input, str(node.residual))}
        made = QuantizedNetwork(network, {node.name: whole[0][node.name]}, beside)
    law = session_of(made, variant="portable", floats=variants.choose(), threads=1).run(images[:3])
    for name in variants.NAMES[1:]:
        if variants.unavailable(name) is None:
            found = session_of(made, variant=name, floats=variants.choose()).run(images[:3])
            assert np.array_equal(found, law), name


def test_any_batch_and_threads_give_each_image_the_same_bits(
    network: Network, images: Floats, whole: Quantized
) -> None:
    made = without(network, whole, *ends(network), weights_only=network.layers[5].name)
    expected = session_of(made, threads=1).run(images)
    session = session_of(made, threads=2)
    for size in (1, 3, len(images)):
        parts = [session.run(images[i : i + size]) for i in range(0, len(images), size)]
        assert np.array_equal(np.concatenate(parts), expected)


def test_levels_that_are_not_uniform_make_one_layer_float_and_no_more(
    network: Network, images: Floats, whole: Quantized, stats: Mapping[str, ActivationStats]
) -> None:
    other, _ = quantized(network, stats, "w4kmc-a8t", "kmeans")
    middle = network.layers[9].name
    made = QuantizedNetwork(network, {**whole[0], middle: other[middle]}, whole[1])
    session = session_of(made)
    assert session.execution == "mixed"
    assert list(session.reasons) == [middle]
    want = oracle.run(network, made.weights, made.activations, images)
    assert np.median(np.abs(session.run(images) - want).max(axis=1)) / np.abs(want).max() < 2e-2
