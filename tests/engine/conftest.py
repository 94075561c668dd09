"""The packaged network, quantized in several ways, and images that look like its data."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import FloatSession
from qbench.graph import Network, depth_weights, read_onnx
from qbench.methods import METHODS, ActivationStats, method_spec, stats_of
from qbench.zoo import load_data, model_path


@pytest.fixture(scope="session")
def network() -> Network:
    return read_onnx(model_path("resnet20"))


@pytest.fixture(scope="session")
def images() -> Floats:
    return load_data("cifar10-shard").inputs(0, 24)


@pytest.fixture(scope="session")
def stats(network: Network, images: Floats) -> dict[str, ActivationStats]:
    found = FloatSession(network, threads=1).observe(images)
    return {name: stats_of(parts) for name, parts in found.items() if ":" not in name}


Quantized = tuple[Mapping[str, QTensor], Mapping[str, QParams]]


def quantized(network: Network, stats: Mapping[str, ActivationStats], token: str, method_name: str) -> Quantized:
    method = METHODS.load(method_name)
    spec = method_spec(method, parse_spec(token))
    layers = () if spec.weights.is_float else network.layers
    tensors = {} if spec.activations.is_float else stats
    weights = {layer.name: method.quantize_weights(depth_weights(layer), spec.weights) for layer in layers}
    return weights, {name: method.activation_params(found, spec.activations) for name, found in tensors.items()}
