"""Transformers run with their linear layers in integers and the rest through onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine.mixed import MixedSession
from qbench.errors import DataError
from qbench.graph import Linear, Network, QuantizedNetwork, read_onnx
from qbench.methods import ActivationObserver, fake_quantize
from tests.graph.oracle import Array, feeds_of, outputs_of_file

from .conftest import Quantized, quantized

EXPORTED = Path(__file__).parents[1] / "graph" / "exported"
NAMES = ("bert_script", "bert_dynamo", "vit_script", "packed_dynamo", "unet_transposed_script")


def calibrated(network: Network, feeds: dict[str, Array], token: str) -> Quantized:
    observers: dict[str, ActivationObserver] = {}

    def tap(name: str, values: Floats) -> None:
        observers.setdefault(name, ActivationObserver()).update(values)

    session = MixedSession(QuantizedNetwork(network, {}, {}))
    session.run(*feeds.values(), tap=tap)
    session.close()
    weights, params = quantized(network, {n: o.finish() for n, o in observers.items()}, token, "minmax")
    linear = {layer.name for layer in network.layers if isinstance(layer, Linear)}
    return {name: tensor for name, tensor in weights.items() if name in linear}, params


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 3])
def test_float_network_computes_what_onnxruntime_does(name: str, batch: int) -> None:
    path = EXPORTED / f"{name}.onnx"
    feeds = feeds_of(path, batch=batch)
    session = MixedSession(QuantizedNetwork(read_onnx(path), {}, {}), threads=1)
    assert session.execution == "float32"
    for found, expected in zip(session.run(*feeds.values()), outputs_of_file(path, feeds), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture(params=["w8c-a8t", "w4c-a8t", "w4g16-a8t"])
def token(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", ["bert_script", "vit_script"])
@pytest.mark.parametrize("threads", [1, 2])
def test_integer_layers_compute_what_their_codes_stand_for(name: str, threads: int, token: str) -> None:
    path = EXPORTED / f"{name}.onnx"
    network, feeds = read_onnx(path), feeds_of(path, batch=3)
    weights, activations = calibrated(network, feeds, token)
    session = MixedSession(QuantizedNetwork(network, weights, activations), threads=threads)
    assert session.execution == "integer"
    assert session.kernels.keys() == weights.keys()
    assert session.integer_share > (0.99 if name == "bert_script" else 0.5)
    seen: dict[str, Floats] = {}
    session.run(*feeds.values(), tap=lambda tensor, values: seen.update({tensor: values.copy()}))
    for layer in network.layers:
        if isinstance(layer, Linear):
            real = fake_quantize(seen[layer.input], activations[layer.input]).astype(np.float64)
            expected = real @ weights[layer.name].dequantize().T.astype(np.float64) + layer.bias
            if layer.activation is not None:
                expected = np.clip(expected, layer.activation.low, layer.activation.high)
            found = session._linear(layer, seen[layer.input])
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_quantized_bert_stays_near_the_float_one() -> None:
    path = EXPORTED / "bert_script.onnx"
    network, feeds = read_onnx(path), feeds_of(path, batch=4)
    weights, activations = calibrated(network, feeds, "w8c-a8t")
    session = MixedSession(QuantizedNetwork(network, weights, activations))
    for found, expected in zip(session.run(*feeds.values()), outputs_of_file(path, feeds), strict=True):
        noise_db = 10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum())
        assert noise_db > 25
    assert session.resident_bytes > 0
    assert "Attention" in session.operators
    session.close()


def test_more_rows_than_fit_a_call_give_the_same() -> None:
    path = EXPORTED / "bert_script.onnx"
    network, feeds = read_onnx(path), feeds_of(path, batch=150)
    weights, activations = calibrated(network, feeds, "w8c-a8t")
    session = MixedSession(QuantizedNetwork(network, weights, activations))
    whole = session.run(*feeds.values())
    parts = [session.run(*(array[i : i + 50] for array in feeds.values())) for i in (0, 50, 100)]
    for index, output in enumerate(whole):
        np.testing.assert_allclose(output, np.concatenate([part[index] for part in parts]), rtol=1e-4, atol=1e-5)


def test_wrong_number_of_inputs_is_one_line() -> None:
    with pytest.raises(DataError, match="expected ids, mask, kinds, got 1 arrays"):
        MixedSession(QuantizedNetwork(read_onnx(EXPORTED / "bert_script.onnx"), {}, {})).run(np.zeros((1, 4), np.int64))
