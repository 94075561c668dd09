"""A network in int8 as peers are handed it, its ranges those of a few samples."""

from __future__ import annotations

from qbench.core.spec import parse_spec
from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.graph import Network, QuantizedNetwork, depth_weights
from qbench.methods import METHODS, ActivationObserver, method_spec


def int8_model(network: Network, samples: Floats) -> QuantizedNetwork:
    """Return the network at w8c-a8t by `minmax`."""
    observers: dict[str, ActivationObserver] = {}

    def tap(name: str, values: Floats) -> None:
        observers.setdefault(name, ActivationObserver()).update(values)

    FloatSession(network, threads=1).run(samples, tap=tap)
    method = METHODS.load("minmax")
    spec = method_spec(method, parse_spec("w8c-a8t"))
    weights = {layer.name: method.quantize_weights(depth_weights(layer), spec.weights) for layer in network.layers}
    activations = {
        name: method.activation_params(found.finish(), spec.activations) for name, found in observers.items()
    }
    return QuantizedNetwork(network, weights, activations)
