"""What is put right behind the codes: moments of channels, errors of low rank, two ranges behind a gelu."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats
from qbench.engine import FloatSession, build_session
from qbench.engine.saved.network import load_network, save_network
from qbench.graph import Layer, Linear, Network, QuantizedNetwork
from qbench.methods import ActivationObserver, dequantize, quantize
from qbench.methods.minmax import MINMAX
from qbench.metrics.tensor import sqnr_db
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.quantization.vit import two_ranges
from tests.quantization.small import answers, block, rows
from tests.quantization.test_cle import images, separable

RNG = np.random.default_rng(3)


def made(network: Network, samples: Floats, recipe: str, spec: str) -> QuantizedNetwork:
    plain = assigned(network, spec, method="minmax")
    return parse_recipe(recipe).apply(plain, Observations(network, lambda: samples, threads=1), seed=0)


def quality(network: Network, samples: Floats, recipe: str, spec: str) -> float:
    with build_session(made(network, samples, recipe, spec), threads=1) as session:
        return sqnr_db(answers(network, samples), np.asarray(session.run(samples)))


def test_every_channel_gets_its_mean_and_spread_back() -> None:
    network, samples = separable(), images()
    quantized = made(network, samples, "minmax/bn_reestimate", "w3c-a32").dequantized()
    with FloatSession(network, threads=1) as one, FloatSession(quantized, threads=1) as other:
        wanted, found = (np.concatenate([*session.tensor(samples, "narrow")]) for session in (one, other))
    np.testing.assert_allclose(found.mean((0, 1, 2)), wanted.mean((0, 1, 2)), atol=1e-3)
    np.testing.assert_allclose(found.std((0, 1, 2)), wanted.std((0, 1, 2)), rtol=1e-3)


def test_moments_put_right_lose_less() -> None:
    network, samples = separable(), images()
    plain, mended = (quality(network, samples, recipe, "w3c-a8t") for recipe in ("minmax", "minmax/bn_reestimate"))
    assert mended > plain + 3


def test_moments_need_a_scale_for_each_channel() -> None:
    spec = assigned(separable(), "w8t-a8t", method="minmax").specs["wide"]
    assert "needs a scale for each channel" in str(parse_recipe("minmax/bn_reestimate").supports(spec))


def test_low_rank_adds_what_rounding_lost(tmp_path: Path) -> None:
    recipes = ("minmax", "minmax/lowrank(1)", "minmax/lowrank(2)")
    plain, more, most = (quality(block(), rows(), recipe, "w3c-a8t") for recipe in recipes)
    assert most > more > plain
    quantized = made(block(), rows(), "minmax/lowrank(2)", "w3c-a8t")
    shapes = {layer.name: layer.weight.shape for layer in quantized.network.layers if layer.name.startswith("wide")}
    assert shapes == {"wide": (32, 16), "wide:down": (2, 16), "wide:up": (32, 2)}
    assert {name: quantized.weights[name].spec.token for name in shapes} == {
        "wide": "3c", "wide:down": "8c", "wide:up": "8c",
    }  # fmt: skip
    save_network(tmp_path, quantized, facts={})
    with build_session(quantized, threads=1) as one, load_network(tmp_path).session(threads=1) as other:
        np.testing.assert_array_equal(np.asarray(one.run(rows())), np.asarray(other.run(rows())))


def test_low_rank_stands_beside_a_convolution_too() -> None:
    network, samples = separable(), images()
    seen = Observations(network, lambda: samples, threads=1)
    found = []
    for recipe in ("minmax", "minmax/lowrank(2)"):
        made = parse_recipe(recipe).apply(assigned(network, "w3c-a8t", method="minmax", only="narrow"), seen)
        with build_session(made, threads=1) as session:
            found.append(sqnr_db(answers(network, samples), np.asarray(session.run(samples))))
    assert found[1] > found[0] + 1


def test_low_rank_leaves_exact_and_depthwise_layers_alone() -> None:
    network = separable()
    nodes = tuple(
        replace(node, weight=np.sign(node.weight).astype(np.float32)) if isinstance(node, Layer) else node
        for node in network.nodes
    )
    found = made(replace(network, nodes=nodes), images(), "minmax/lowrank(1)", "w3c-a32")
    assert [layer.name for layer in found.network.layers] == ["wide", "own", "narrow", "last"]
    assert found.remarks == ("lowrank(1): 0 layers; 2 are grouped, recurrent or too small",)


def test_two_ranges_lose_less_where_most_numbers_are_small() -> None:
    small = -0.17 * RNG.random(100_000)
    observer = ActivationObserver()
    observer.update(np.concatenate([small, 0.05 * RNG.random(20_000), 9.0 * RNG.random(200)]).astype(np.float32))
    stats = observer.finish()
    twin, uniform = (
        two_ranges(stats, 4, negative=True),
        MINMAX.activation_params(stats, parse_spec("w8-a4").activations),
    )
    values, counts = (array.astype(np.float32) for array in stats.points())
    twin_error, uniform_error = (
        float((counts * np.square(dequantize(quantize(values, params), params) - values)).sum())
        for params in (twin, uniform)
    )
    assert twin_error < 0.8 * uniform_error
    assert twin.levels is not None
    steps = np.diff(twin.levels[twin.levels < 0]).max(), np.diff(twin.levels[twin.levels > 0]).max()
    assert np.log2(steps[1] / steps[0]) == pytest.approx(round(float(np.log2(steps[1] / steps[0]))), abs=1e-4)


def test_a_network_with_two_ranges_says_that_they_are_simulated() -> None:
    network = block()
    low = (
        replace(node, bias=node.bias - 2) if isinstance(node, Linear) and node.name == "wide" else node
        for node in network.nodes
    )
    network = replace(network, nodes=tuple(low))
    found = made(network, rows(), "minmax/vit", "w8c-a4t")
    assert found.remarks == ("vit: two ranges for 1 of 1 outputs of gelu or softmax, where one range loses more",)
    assert found.activations["gelu"].levels is not None
    with build_session(found, threads=1) as session:
        assert session.execution in ("mixed", "simulated")


def test_a_range_that_loses_less_stays() -> None:
    found = made(block(), rows(), "minmax/vit", "w8c-a4t")
    assert found.remarks == ("vit: two ranges for 0 of 1 outputs of gelu or softmax, where one range loses more",)
    assert found.activations["gelu"].levels is None
