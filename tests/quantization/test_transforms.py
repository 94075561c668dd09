"""What moves scale between activations and weights keeps the function, and repairs outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qbench.engine import build_session
from qbench.errors import QBenchError
from qbench.graph import Linear, Network, QuantizedNetwork
from qbench.metrics.tensor import sqnr_db
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.quantization.transforms.links import linked
from tests.quantization.small import answers, block, rows

WORDS = ("smoothquant", "smoothquant(0.8)", "awq", "awq(data-free)")


def made(network: Network, recipe: str, spec: str = "w8c-a8t") -> QuantizedNetwork:
    plain = assigned(network, spec, method="minmax")
    return parse_recipe(recipe).apply(plain, Observations(network, rows, threads=1), seed=0)


def quality(network: Network, recipe: str, spec: str) -> float:
    with build_session(made(network, recipe, spec), threads=1) as session:
        return sqnr_db(answers(network, rows()), np.asarray(session.run(rows())))


def test_links_are_what_layers_read_alone_and_others_say_why_they_are_none() -> None:
    found, refused = linked(block())
    assert [(link.writer, link.readers) for link in found] == [
        ("before", ("query", "key", "value")),
        ("value", ("out",)),
        ("behind", ("wide",)),
    ]
    assert refused == ["'gelu' comes from 'gelu' (gelu), which passes no factor on"]


@pytest.mark.parametrize("word", WORDS)
def test_the_function_stays_the_same_and_the_weights_do_not(word: str) -> None:
    network = block(outliers=30.0)
    found = made(network, f"{word}/minmax", "w4c-a32")
    assert sqnr_db(answers(network, rows()), answers(found.network, rows())) > 100
    assert any(
        not np.array_equal(a.weight, b.weight) for a, b in zip(network.layers, found.network.layers, strict=True)
    )
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(f"{word}: 3 of 4 tensors; not 'gelu'")


@pytest.mark.parametrize("word", WORDS)
def test_the_same_samples_give_the_same_weights(word: str) -> None:
    one, other = (made(block(outliers=8.0), f"{word}/minmax") for _ in range(2))
    for name in one.weights:
        np.testing.assert_array_equal(one.weights[name].codes, other.weights[name].codes)


def test_smoothquant_takes_outliers_out_of_activations() -> None:
    network = block(outliers=50.0)
    assert quality(network, "smoothquant/minmax", "w8c-a8t") > quality(network, "minmax", "w8c-a8t") + 6


@pytest.mark.parametrize("word", ["awq", "awq(data-free)"])
def test_awq_spends_the_codes_of_weights_where_activations_are_large(word: str) -> None:
    network = block(outliers=50.0)
    assert quality(network, f"{word}/minmax", "w4c-a32") > quality(network, "minmax", "w4c-a32") + 3


def test_awq_leaves_what_is_exact_as_it_is() -> None:
    network = block()
    whole = np.random.default_rng(2).integers(-7, 8, (16, 16)).astype(np.float32)
    whole[:, 0] = 7
    nodes = tuple(
        replace(node, weight=np.resize(whole, node.weight.shape)) if isinstance(node, Linear) else node
        for node in network.nodes
    )
    network = replace(network, nodes=nodes)
    for before, after in zip(network.layers, made(network, "awq/minmax", "w4c-a32").network.layers, strict=True):
        np.testing.assert_array_equal(before.weight, after.weight)


def test_awq_refuses_what_minmax_cannot_do_and_says_so() -> None:
    assert "awq searches with the range of minmax" in str(
        parse_recipe("awq/kmeans").supports(assigned(block(), "w4kmc-a32", method="kmeans").specs["out"])
    )


@pytest.mark.parametrize("word", ["smoothquant", "awq"])
def test_a_network_without_a_link_is_refused_in_one_line(word: str) -> None:
    network = block()
    alone = Linear("alone", "x", "alone", network.layers[0].weight, network.layers[0].bias)
    network = Network("n", "x", network.input_shape, "alone", (alone,), {"x": (6, 16), "alone": (6, 16)}, {}, "")
    with pytest.raises(QBenchError, match=f"{word}: no tensor of 'n' can be scaled: 'x' is the network's input"):
        made(network, f"{word}/minmax")
