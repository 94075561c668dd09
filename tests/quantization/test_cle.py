"""Cross-layer equalization: the same function, equal ranges, and less lost where one scale serves all channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession, build_session
from qbench.graph import Clamp, Conv, Flatten, Linear, Network, Pool, QuantizedNetwork, read_onnx
from qbench.metrics.tensor import sqnr_db
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.quantization.cle import CrossLayerEqualization, pairs
from qbench.zoo.networks.mobilenet_v2 import build
from qbench.zoo.smooth import load_32
from tests.runner.conftest import small_network

RELU = Clamp(0.0, float("inf"))
Numbers = Callable[..., Floats]


def numbers(seed: int) -> Numbers:
    generator = np.random.default_rng(seed)

    def made(*shape: int, spread: bool = False) -> Floats:
        scale = np.exp(generator.standard_normal(shape[0]) * 1.5) if spread else np.ones(shape[0])
        return (generator.standard_normal(shape) * 0.3 * scale.reshape(-1, *[1] * (len(shape) - 1))).astype(np.float32)

    return made


def separable(clamp: Clamp | None = RELU, *, height: float = 0.0) -> Network:
    """Return 1 x 1, depthwise, 1 x 1, pool, classifier: MobileNet's block, its channels of very different ranges."""
    draw = numbers(0)
    nodes = (
        Conv("wide", "x", "wide", draw(24, 3, 1, 1, spread=True), draw(24), activation=clamp),
        Conv(
            "own",
            "wide",
            "own",
            draw(24, 1, 3, 3, spread=True),
            draw(24) + np.float32(height),
            pads=(1, 1, 1, 1),
            groups=24,
            activation=clamp,
        ),
        Conv("narrow", "own", "narrow", draw(8, 24, 1, 1), draw(8)),
        Pool("mean", "global_average", "narrow", "mean", (6, 6)),
        Flatten("flat", "mean", "flat"),
        Linear("last", "flat", "last", draw(5, 8), draw(5)),
    )
    shapes = {
        "x": (3, 6, 6),
        "wide": (24, 6, 6),
        "own": (24, 6, 6),
        "narrow": (8, 6, 6),
        "mean": (8, 1, 1),
        "flat": (8,),
    }
    return Network("separable", "x", (3, 6, 6), "last", nodes, shapes | {"last": (5,)}, {}, "")


def images() -> Floats:
    return np.random.default_rng(1).random((32, 3, 6, 6), np.float32)


def equalized(network: Network) -> Network:
    seen = Observations(network, images, threads=1)
    return CrossLayerEqualization().apply(QuantizedNetwork(network), seen, seed=0).network


def answers(network: Network) -> Floats:
    with FloatSession(network, threads=1) as session:
        return session.run(images())


def test_pairs_are_neighbours_that_nothing_else_reads() -> None:
    found = [(pair.first, pair.second) for pair in pairs(separable())]
    assert found == [("wide", "own"), ("own", "narrow"), ("narrow", "last")]
    assert [(pair.first, pair.second) for pair in pairs(small_network())] == []  # `first` is added to `second` too


def test_the_function_stays_the_same() -> None:
    network = separable()
    assert sqnr_db(answers(network), answers(equalized(network))) > 90


def test_both_sides_of_a_pair_have_equal_ranges() -> None:
    network = equalized(separable())
    wide, own, narrow = (network.layers[i].weight for i in range(3))
    out, through = (np.abs(weight.reshape(24, -1)).max(axis=1) for weight in (wide, own))
    np.testing.assert_allclose(out, through, rtol=0.02)
    np.testing.assert_allclose(through, np.abs(narrow).max(axis=(0, 2, 3)), rtol=0.02)


def test_a_bias_that_stands_high_moves_into_the_next_layer() -> None:
    network = separable(height=9.0)
    found = equalized(network)
    assert sqnr_db(answers(network), answers(found)) > 90  # the relu cuts below all that was seen
    before, after = (np.abs(n.layers[1].bias).mean() for n in (network, found))
    assert after < 0.5 * before


def test_a_relu6_that_is_hardly_reached_becomes_a_relu() -> None:
    network = separable(Clamp(0.0, 60.0))
    found = equalized(network)
    assert [layer.activation for layer in found.layers] == [RELU, RELU, None, None]
    assert sqnr_db(answers(network), answers(found)) > 90


def test_a_relu6_that_clips_keeps_its_pair_as_it_is() -> None:
    network = separable(Clamp(0.0, 0.5))
    found = equalized(network)
    assert [layer.activation for layer in found.layers[:2]] == [Clamp(0.0, 0.5)] * 2
    assert sqnr_db(answers(network), answers(found)) > 90


def test_one_scale_per_tensor_loses_less_after_it() -> None:
    network = separable()
    wanted, seen = answers(network), Observations(network, images, threads=1)
    found = []
    for recipe in ("minmax", "cle/minmax"):
        made = parse_recipe(recipe).apply(assigned(network, "w8t-a8t", method="minmax"), seen)
        with build_session(made, threads=1) as session:
            found.append(sqnr_db(wanted, session.run(images())))
    assert found[1] > found[0] + 5


@pytest.mark.parametrize("groups", [1, 2])
def test_input_channels_of_groups_are_scaled_where_they_enter(groups: int) -> None:
    draw = numbers(3)
    nodes = (
        Conv("a", "x", "a", draw(8, 3, 1, 1, spread=True), draw(8), activation=RELU),
        Conv("b", "a", "b", draw(4, 8 // groups, 3, 3), draw(4), groups=groups),
        Flatten("flat", "b", "flat"),
        Linear("last", "flat", "last", draw(5, 64), draw(5)),
    )
    shapes: dict[str, tuple[int, ...]] = {"x": (3, 6, 6), "a": (8, 6, 6), "b": (4, 4, 4), "flat": (64,), "last": (5,)}
    network = Network("n", "x", (3, 6, 6), "last", nodes, shapes, {}, "")
    found = equalized(network)
    assert sqnr_db(answers(network), answers(found)) > 90
    assert any(not np.array_equal(a.weight, b.weight) for a, b in zip(network.layers, found.layers, strict=True))


def test_a_channel_without_weights_keeps_its_scale() -> None:
    network = separable()
    first, *rest = network.nodes
    assert isinstance(first, Conv)
    weight = first.weight.copy()
    weight[3] = 0
    found = equalized(replace(network, nodes=(replace(first, weight=weight), *rest)))
    assert all(np.all(np.isfinite(layer.weight)) for layer in found.layers)
    np.testing.assert_array_equal(found.layers[0].weight[3], 0)


def small_mobilenet(folder: Path, *, unequal: bool) -> Network:
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 1, 2))
    path = folder / f"small{unequal}.onnx"
    path.write_bytes(build("small", stages, size=32, stem_stride=1, classes=10, seed=3, unequal=unequal))
    return read_onnx(path)


def test_mobilenet_with_one_scale_per_tensor_collapses_without_it_and_is_repaired_by_it(tmp_path: Path) -> None:
    """The network is MobileNetV2 with relus whose channels an exact rescaling by powers of two made unequal."""
    network = small_mobilenet(tmp_path, unequal=True)
    seen = Observations(network, lambda: load_32().inputs(32, 64), threads=1)
    samples = load_32().inputs(0, 32)
    with FloatSession(network, threads=1) as session:
        wanted = session.run(samples)
    found = []
    for recipe in ("minmax", "cle/minmax"):
        made = parse_recipe(recipe).apply(assigned(network, "w8t-a8t", method="minmax"), seen)
        with build_session(made, threads=1) as session:
            found.append(sqnr_db(wanted, session.run(samples)))
    assert found[0] < 6
    assert found[1] > 15
