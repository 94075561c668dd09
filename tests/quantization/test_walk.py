"""A walk shows each layer what the quantized network gives it, once, whatever the graph between the layers."""

from __future__ import annotations

import numpy as np
import pytest

from qbench.engine import FloatSession, build_session
from qbench.errors import QBenchError
from qbench.graph import Add, Conv, Network, QuantizedNetwork, depth_weights
from qbench.methods import quantize
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.quantization import walk as walks
from qbench.quantization.walk import Moments, Quadratic, Walk, layer_starts, rows_entering, segments
from tests.runner.conftest import small_network

IMAGES = np.random.default_rng(0).random((24, 3, 8, 8), np.float32)


def seen_of(network: Network) -> Observations:
    return Observations(network, lambda: IMAGES, threads=1)


def branching() -> Network:
    """Return a network whose first layer is read by a second one, by its sum with that, and by nothing else."""
    generator = np.random.default_rng(1)

    def conv(name: str, source: str, channels: int) -> Conv:
        weight = (generator.standard_normal((4, channels, 3, 3)) * 0.3).astype(np.float32)
        return Conv(name, source, name, weight, np.zeros(4, np.float32), pads=(1, 1, 1, 1))

    nodes = (conv("a", "x", 3), conv("b", "a", 4), Add("sum", ("a", "b"), "sum"), conv("c", "sum", 4))
    shapes = {"x": (3, 8, 8), **dict.fromkeys(("a", "b", "sum", "c"), (4, 8, 8))}
    return Network("branching", "x", (3, 8, 8), "c", nodes, shapes, {}, "")


def test_segments_hold_every_node_once_and_say_what_crosses() -> None:
    network = branching()
    found = segments(network, layer_starts(network))
    assert [[node.name for node in one.nodes] for one in found] == [["a"], ["b", "sum"], ["c"]]
    assert [(one.reads, one.writes) for one in found] == [(("x",), ("a",)), (("a",), ("sum",)), (("sum",), ("c",))]


@pytest.mark.parametrize("make", [small_network, branching])
@pytest.mark.parametrize("token", ["w4c-a8t", "w3c-a4t", "w4c-a32"])
def test_what_a_layer_sees_is_what_the_integer_network_gives(make, token: str) -> None:  # type: ignore[no-untyped-def]
    network = make()
    quantized = parse_recipe("minmax").apply(assigned(network, token, method="minmax"), seen_of(network))
    walk = Walk(quantized, seen_of(network), samples=24, starts=layer_starts(network), beside=True)
    for segment in walk:
        for layer in segment.layers:
            found = walk.side.tensor(segment, layer.input)
            prefix = cut(quantized, layer.input)
            if prefix is not None:
                with build_session(prefix, threads=1) as session:
                    wanted = session.run_all(IMAGES)[0].reshape(found.shape)
                params = quantized.activations.get(network.unflattened(layer.input))
                if params is None:
                    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
                else:
                    np.testing.assert_array_equal(quantize(found, params), quantize(wanted, params))
            walk.settle({layer.name: quantized.weights[layer.name]})


def cut(quantized: QuantizedNetwork, tensor: str) -> QuantizedNetwork | None:
    """Return the network up to a tensor, None where that is its input."""
    network = quantized.network
    place = next((i for i, node in enumerate(network.nodes) if node.output == tensor), -1)
    if place < 0:
        return None
    nodes = network.nodes[: place + 1]
    names = {node.name for node in nodes}
    weights = {name: codes for name, codes in quantized.weights.items() if name in names}
    short = Network(network.name, network.input, network.input_shape, tensor, nodes, network.shapes, {}, "")
    return QuantizedNetwork(short, weights, quantized.activations)


def test_moments_give_the_mean_squared_error_of_any_weights() -> None:
    network = branching()
    quantized = parse_recipe("minmax").apply(assigned(network, "w3c-a4t", method="minmax"), seen_of(network))
    walk = Walk(quantized, seen_of(network), samples=24, starts=layer_starts(network), beside=True)
    for segment in walk:
        layer = segment.layers[0]
        rows = depth_weights(layer)
        moments = walk.moments(segment, layer, rows)
        assert walk.beside is not None
        x = rows_entering(
            layer, walk.side.tensor(segment, layer.input), quantized.activations[layer.input], most=1 << 20
        )[0]
        x_float = rows_entering(layer, walk.beside.tensor(segment, layer.input), None, most=1 << 20)[0]
        reals = quantized.weights[layer.name].dequantize()
        wanted = np.square(x.astype(np.float64) @ reals.T - x_float.astype(np.float64) @ rows.T).mean(axis=0)
        np.testing.assert_allclose(moments.errors(reals), wanted, rtol=1e-3, atol=1e-7)
        walk.settle({layer.name: quantized.weights[layer.name]})


def test_the_gradient_is_that_of_the_error() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((2, 40, 6))
    weights, start = generator.standard_normal((4, 6)), generator.standard_normal((4, 6)).astype(np.float32)
    gram = x.transpose(0, 2, 1) @ x / 40
    target = (weights.reshape(2, 2, 6) @ gram).reshape(4, 6)
    moments = Moments(gram, target, (target * weights).sum(axis=1))
    moved = start.astype(np.float64)
    moved[2, 3] += 1e-4
    change = (moments.errors(moved) - moments.errors(start)).sum() / 1e-4
    assert Quadratic(moments).gradient(start)[2, 3] == pytest.approx(change, rel=1e-3, abs=1e-3)


def test_samples_are_as_many_as_their_tensors_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    network = branching()
    monkeypatch.setattr(walks, "KEPT_BYTES", 4 * 3 * 2 * 4 * 8 * 8)
    walk = Walk(QuantizedNetwork(network), seen_of(network), samples=24, starts=layer_starts(network), beside=False)
    next(iter(walk))
    assert len(walk.side.tensors["x"]) == 3


def test_what_is_not_finite_is_told_in_one_line() -> None:
    network = branching()
    images = IMAGES.copy()
    images[0, 0, 0, 0] = np.inf
    seen = Observations(network, lambda: images, threads=1)
    with pytest.raises(QBenchError, match="gptq: layer 'a': expected finite inputs"):
        parse_recipe("mse+gptq").apply(assigned(network, "w4c-a32", method="mse"), seen)


def test_the_float_side_is_the_float_network() -> None:
    network = small_network()
    walk = Walk(QuantizedNetwork(network), seen_of(network), samples=24, starts=layer_starts(network), beside=False)
    last = network.layers[-1]
    with FloatSession(network, threads=1) as session:
        wanted = np.concatenate([*session.tensor(IMAGES, network.unflattened(last.input))])
    for segment in walk:
        if last in segment.layers:
            found = walk.side.tensor(segment, last.input)
            np.testing.assert_allclose(found, wanted.transpose(0, 3, 1, 2).reshape(found.shape), atol=1e-5)
