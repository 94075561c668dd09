"""`adaround`: up or down for every weight of a layer, chosen so that the layer's output is what the float layer gives.

    min  L(W^) / L(nearest) + lambda / n * sum(1 - |2 h - 1|^beta),    W^ = s (clip(floor(W / s + z) + h(V)) - z)

L is the mean squared error of the output, the inputs of W^ being those that the quantized layers before it give, and
those of W the float ones. It is a quadratic form of the inputs' moments (`Moments`), so a step costs one product of the
depth squared, sees every sample, and needs no draw. h(V) = clip(1.2 sigmoid(V) - 0.1, 0, 1); beta falls from 20 to 2
behind a fifth of the steps. Left out: the relu inside the loss. Source: Nagel et al. 2020, "Up or down? Adaptive
rounding for post-training quantization", (21) to (25).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from qbench.core.spec import LayerSpec
from qbench.core.tensor import Floats, QTensor
from qbench.graph import QuantizedNetwork
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.equal_steps import EqualSteps, equal_steps_reason, is_on_grid
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.walk import Moments, Quadratic, layer_by_layer

STEPS = 1000
RATE = 0.02
WARM_UP = 0.2
WEIGHT = 1.0
"""lambda."""
_WIDE, _SHIFT = np.float32(1.2), np.float32(0.1)


class Adaround:
    """Learn up or down for every weight, layer after layer."""

    name: ClassVar[str] = "adaround"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "rounding"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights of `spec` have no up and down, or None."""
        return equal_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other codes under the same scales; raise QBenchError as `layer_by_layer`."""
        return layer_by_layer(quantized, seen, name=self.name, make=adapted)


def adapted(rows: Floats, codes: QTensor, moments: Moments) -> QTensor:
    """Return the codes of a layer: those that were learned, in each channel that is better for it."""
    before = moments.errors(codes.dequantize())
    if is_on_grid(rows, codes.params) or not before.sum() > 0:
        return codes
    steps, loss = EqualSteps.of(codes.params, rows.shape[1]), Quadratic(moments)
    places = steps.places(rows)
    base = np.floor(places)
    v = -np.log(_WIDE / (places - base + _SHIFT) - 1)
    descent, share = _Adam(v), np.float32(rows.size / before.sum())
    for step in range(STEPS):
        done = step / STEPS
        sigmoid = 1 / (1 + np.exp(-v))
        up = np.clip(_WIDE * sigmoid - _SHIFT, 0, 1)
        slope = loss.gradient(steps.reals(np.clip(base + up, steps.low, steps.high))) * steps.scale * share
        slope *= (base + up >= steps.low) & (base + up <= steps.high)
        if done >= WARM_UP:
            beta = np.float32(20 - 18 * (done - WARM_UP) / (1 - WARM_UP))
            side = 2 * up - 1
            slope -= np.float32(2 * WEIGHT) * beta * np.sign(side) * np.abs(side) ** (beta - 1)
        slope *= _WIDE * sigmoid * (1 - sigmoid) * ((up > 0) & (up < 1))
        v -= descent.step(slope)
    found = steps.tensor(base + (_WIDE / (1 + np.exp(-v)) - _SHIFT >= 0.5))
    return _better(codes, found, before, moments)


def _better(codes: QTensor, found: QTensor, before: Doubles, moments: Moments) -> QTensor:
    """Return the codes of each channel with the smaller error."""
    kept = moments.errors(found.dequantize()) < before
    return QTensor(np.where(kept[:, None], found.codes, codes.codes), codes.params)


class _Adam:
    """Steps of Adam (Kingma 2015) for one array."""

    def __init__(self, array: Floats) -> None:
        self._mean, self._square, self._count = np.zeros_like(array), np.zeros_like(array), 0

    def step(self, slope: Floats) -> Floats:
        """Return what is to be taken from the array."""
        self._count += 1
        self._mean += np.float32(0.1) * (slope - self._mean)
        self._square += np.float32(0.001) * (slope * slope - self._square)
        root = np.sqrt(self._square / np.float32(1 - 0.999**self._count)) + np.float32(1e-8)
        return np.asarray(np.float32(RATE / (1 - 0.9**self._count)) * self._mean / root, np.float32)
