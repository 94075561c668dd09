"""What moves scale between activations and weights keeps the function, and repairs outliers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from qbench.core.tensor import Floats
from qbench.engine import build_session
from qbench.engine.saved.network import load_network, save_network
from qbench.errors import UnsuitableError
from qbench.graph import Conv, Hadamard, LayerNorm, Linear, Network, QuantizedNetwork, qdq_onnx_bytes, to_onnx_bytes
from qbench.metrics.tensor import sqnr_db
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.quantization.transforms.links import Refusal, linked
from qbench.quantization.transforms.rotate import Rotate
from tests.quantization.small import answers, block, rows

WORDS = ("smoothquant", "smoothquant(0.8)", "awq", "awq(data-free)")


def made(network: Network, recipe: str, spec: str = "w8c-a8t") -> QuantizedNetwork:
    plain = assigned(network, spec, method="minmax")
    return parse_recipe(recipe).apply(plain, Observations(network, rows, threads=1), seed=0)


def no_samples() -> Floats:
    raise AssertionError("samples were drawn")


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
    assert refused == [Refusal("gelu", "come from gelu, which passes no factor on")]


@pytest.mark.parametrize("word", WORDS)
def test_the_function_stays_the_same_and_the_weights_do_not(word: str) -> None:
    network = block(outliers=30.0)
    found = made(network, f"{word}/minmax", "w4c-a32")
    assert sqnr_db(answers(network, rows()), answers(found.network, rows())) > 100
    assert any(
        not np.array_equal(a.weight, b.weight) for a, b in zip(network.layers, found.network.layers, strict=True)
    )
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith(f"{word}: 3 of 4 tensors that enter layers; 1 come from gelu")


@pytest.mark.parametrize("word", WORDS)
def test_the_same_samples_give_the_same_weights(word: str) -> None:
    one, other = (made(block(outliers=8.0), f"{word}/minmax") for _ in range(2))
    for name in one.weights:
        np.testing.assert_array_equal(one.weights[name].codes, other.weights[name].codes)


@pytest.mark.parametrize(("word", "steps"), [("rotate", 3), ("rotate(folded)", 0)])
def test_rotation_keeps_the_function_and_counts_its_steps(word: str, steps: int) -> None:
    network = block(outliers=30.0)
    found = made(network, f"{word}/minmax")
    assert sum(isinstance(node, Hadamard) for node in found.network.nodes) == steps
    assert sqnr_db(answers(network, rows()), answers(found.network, rows())) > 100
    assert np.abs(found.network.layers[2].weight - network.layers[2].weight).max() > 0.1  # values are turned by heads
    with build_session(found, threads=1) as session:
        assert sum(step.kind == "hadamard_f32_u8/portable" for step in session.plan.steps) == steps
        assert session.execution == "integer"


def test_a_rotated_network_is_the_same_in_files_and_in_another_library(tmp_path: Path) -> None:
    found = made(block(outliers=30.0), "rotate/minmax")
    with build_session(found, threads=1) as session:
        expected = np.asarray(session.run(rows()))
    save_network(tmp_path, found, facts={})
    with load_network(tmp_path).session(threads=1) as session:
        np.testing.assert_array_equal(np.asarray(session.run(rows())), expected)
    for content, wanted in (
        (to_onnx_bytes(found.network), answers(found.network, rows())),
        (qdq_onnx_bytes(found), expected),
    ):
        theirs = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        assert sqnr_db(wanted, np.asarray(theirs.run(None, {"x": rows()})[0])) > 40


def test_rotation_spreads_outliers() -> None:
    network = block(outliers=50.0)
    assert quality(network, "rotate/minmax", "w8c-a8t") > quality(network, "minmax", "w8c-a8t") + 3


def test_signs_of_a_rotation_come_from_the_seed() -> None:
    network = block()
    seen, plain = Observations(network, rows, threads=1), assigned(network, "w8c-a8t", method="minmax")
    first, again, other = (Rotate().apply(plain, seen, seed=seed).network.layers[2].weight for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_convolution_without_an_activation_is_turned_through_padding() -> None:
    draw = np.random.default_rng(0)
    nodes = (
        Conv("a", "x", "a", draw.standard_normal((8, 3, 1, 1)).astype(np.float32), np.ones(8, np.float32)),
        Conv(
            "b",
            "a",
            "b",
            draw.standard_normal((4, 8, 3, 3)).astype(np.float32),
            np.ones(4, np.float32),
            pads=(1, 1, 1, 1),
        ),
    )
    network = Network("n", "x", (3, 6, 6), "b", nodes, {"x": (3, 6, 6), "a": (8, 6, 6), "b": (4, 6, 6)}, {}, "")
    seen = Observations(network, lambda: images, threads=1)
    images = draw.random((4, 3, 6, 6), np.float32)
    found = Rotate().apply(QuantizedNetwork(network), seen, seed=0)
    assert found.remarks == ("rotate: 1 of 2 tensors that enter layers; 1 are images ('x'); 0 of them by a step",)
    assert sqnr_db(answers(network, images), answers(found.network, images)) > 100


def test_smoothquant_takes_outliers_out_of_activations() -> None:
    network = block(outliers=50.0)
    assert quality(network, "smoothquant/minmax", "w8c-a8t") > quality(network, "minmax", "w8c-a8t") + 6


@pytest.mark.parametrize("word", ["awq", "awq(data-free)"])
def test_awq_spends_the_codes_of_weights_where_activations_are_large(word: str) -> None:
    network = block(outliers=50.0)
    assert quality(network, f"{word}/minmax", "w4c-a32") > quality(network, "minmax", "w4c-a32") + 3


@pytest.mark.parametrize("word", ["smoothquant", "awq"])
def test_layers_get_a_norm_of_their_own_where_others_read_it_too(word: str) -> None:
    network = block(outliers=50.0)
    nodes = tuple(replace(node, inputs=("before", "out")) if node.name == "sum" else node for node in network.nodes)
    network = replace(network, nodes=nodes)
    found = made(network, f"{word}/minmax", "w4c-a32")
    assert [node.name for node in found.network.nodes if isinstance(node, LayerNorm)] == [
        "before", "before:scaled", "behind",
    ]  # fmt: skip
    assert sqnr_db(answers(network, rows()), answers(found.network, rows())) > 100


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


@pytest.mark.parametrize("word", ["smoothquant", "awq", "rotate(folded)"])
def test_a_network_without_a_link_is_refused_in_one_line_before_samples_are_drawn(word: str) -> None:
    network = block()
    alone = Linear("alone", "x", "alone", network.layers[0].weight, network.layers[0].bias)
    network = Network("n", "x", network.input_shape, "alone", (alone,), {"x": (6, 16), "alone": (6, 16)}, {}, "")
    why = "need a step" if word.startswith("rotate") else "are inputs of the network"
    wanted = f"network 'n': {word}: 0 of 1 tensors that enter layers; 1 {why} ('x')"
    with pytest.raises(UnsuitableError, match=f"^{re.escape(wanted)}$"):
        parse_recipe(f"{word}/minmax").apply(
            assigned(network, "w4c-a8t", method="minmax"), Observations(network, no_samples, threads=1)
        )
