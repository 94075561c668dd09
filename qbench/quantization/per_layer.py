"""The stage that every method is: each layer's weights by themselves, each tensor's range from its statistics."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np

from qbench.core.granularity import Dynamic
from qbench.core.spec import FLOAT, LayerSpec, QuantSpec
from qbench.core.tensor import QParams, QTensor
from qbench.graph import Layer, QuantizedNetwork, depth_weights
from qbench.methods import METHODS, Method
from qbench.quantization.observations import Observations
from qbench.quantization.specs import activation_specs
from qbench.quantization.stages import Place


class PerLayer:
    """A method of `qbench.methods` as a stage; what it makes of a layer is kept beside the observations.

    Args:
        name: of the method.
    """

    place: ClassVar[Place] = "codes"
    needs_samples: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.name = name
        self._method: Method = METHODS.part(name)
        self.version = self._method.version

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return self._method.supports(spec)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with codes and parameters where `specs` wants them.

        Args:
            quantized: says what each layer is to become.
            seen: statistics of its tensors, looked at only where activations are quantized.
            seed: for methods that draw numbers.

        Raises:
            QBenchError: the method refuses a spec or a tensor.
        """
        activations, weights = self._activations(quantized, seen), self._weights(quantized, seen, seed)
        return replace(quantized, activations=activations, weights=weights)

    def _weights(self, quantized: QuantizedNetwork, seen: Observations, seed: int) -> dict[str, QTensor]:
        found = {}
        for layer in quantized.network.layers:
            spec = quantized.specs[layer.name].weights if layer.name in quantized.specs else None
            if spec is None or spec.is_float:
                continue
            key = ("weights", layer.name, self.name, spec, seed)
            found[layer.name] = seen.once(key, partial(self._codes, layer, spec, seed))
        return found

    def _codes(self, layer: Layer, spec: QuantSpec, seed: int) -> QTensor:
        return self._method.quantize_weights(depth_weights(layer), spec, seed=seed)

    def _activations(self, quantized: QuantizedNetwork, seen: Observations) -> dict[str, QParams]:
        specs = quantized.specs
        if all(spec.activations.is_float for spec in specs.values()):
            return {}
        others = FLOAT if quantized.others is None else quantized.others.activations
        stats, found = seen.stats(), {}
        for tensor, spec in activation_specs(quantized.network, specs, stats, default=others).items():
            if isinstance(spec.granularity, Dynamic):
                found[tensor] = QParams(spec, np.ones((), np.float32), np.zeros((), np.float32))
                continue
            made = partial(self._method.activation_params, stats[tensor], spec)
            found[tensor] = seen.once(("activations", tensor, self.name, spec), made)
        return found
