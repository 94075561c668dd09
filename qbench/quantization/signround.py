"""`signround`: an offset of at most half a step for every weight, and every slice's step, learned by gradients' signs.

    W^ = s a (clip(round(W / (s a) + z + V)) - z),    |V| <= 1/2,  a in [0.5, 1.5]

by 200 steps of V -= r sign(dL/dV), a -= r sign(dL/da), with the gradient passed straight through the rounding and r
falling from 1/200 to 0. L is the mean squared error of the layer's output, a quadratic form of its inputs' moments; of
all steps, the best is taken for each channel (for the whole layer where its channels share a step). Here it is learned
layer by layer, where the authors go by blocks. Source: Cheng et al. 2023, "Optimize weight rounding via signed gradient
descent for the quantization of LLMs" (AutoRound), algorithm 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from qbench.core.granularity import PerTensor
from qbench.core.spec import LayerSpec
from qbench.core.tensor import Floats, QTensor
from qbench.graph import QuantizedNetwork
from qbench.methods.fitting.slices import Doubles, per_slice
from qbench.quantization.equal_steps import EqualSteps, equal_steps_reason, is_on_grid, moved_steps_reason
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.walk import Moments, Quadratic, layer_by_layer

STEPS = 200
FARTHEST = 0.5
"""How far a step may leave the one it began with, as a share of it."""


class Signround:
    """Learn offsets and steps by signs of gradients, layer after layer."""

    name: ClassVar[str] = "signround"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "rounding"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why weights of `spec` have no up and down, or no scales to be moved, or None."""
        return equal_steps_reason(self.name, spec.weights) or moved_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other codes and scales; raise QBenchError as `layer_by_layer`."""
        return layer_by_layer(quantized, seen, name=self.name, make=signed)


def signed(rows: Floats, codes: QTensor, moments: Moments) -> QTensor:
    """Return the codes and scales of a layer: of all steps on the way, those with the least error."""
    if is_on_grid(rows, codes.params):
        return codes
    best = _Best(codes, moments)
    offset, share, loss = np.zeros_like(rows), np.ones_like(codes.params.scale), Quadratic(moments)
    for step in range(STEPS):
        rate = np.float32((1 - step / STEPS) / STEPS)
        params = replace(codes.params, scale=codes.params.scale * share)
        steps = EqualSteps.of(params, rows.shape[1])
        places = steps.places(rows)
        wanted = np.rint(places + offset)
        made = np.clip(wanted, steps.low, steps.high)
        found, reals = steps.tensor(made), steps.reals(made)
        best.take(found, reals)
        slope = loss.gradient(reals)
        free = (wanted >= steps.low) & (wanted <= steps.high)
        moved = slope * ((made - steps.zero_point) - free * (places - steps.zero_point))
        offset = np.clip(offset - rate * np.sign(slope * free), -0.5, 0.5).astype(np.float32)
        turn = per_slice(moved, params.spec.granularity, lambda part: part.sum(axis=1, dtype=np.float64))
        share = np.clip(share - rate * np.sign(turn), 1 - FARTHEST, 1 + FARTHEST).astype(np.float32)
    return best.found


class _Best:
    """The best codes and scales of every channel so far, or of the layer where its channels share a scale."""

    def __init__(self, codes: QTensor, moments: Moments) -> None:
        self.found, self._moments = codes, moments
        self._whole = isinstance(codes.spec.granularity, PerTensor)
        self._errors = self._judged(codes.dequantize())

    def _judged(self, reals: Floats) -> Doubles:
        errors = self._moments.errors(reals)
        return np.full_like(errors, errors.sum()) if self._whole else errors

    def take(self, codes: QTensor, reals: Floats) -> None:
        """Take what is better."""
        errors = self._judged(reals)
        better = errors < self._errors
        if not better.any():
            return
        scale, old = codes.params.scale, self.found.params.scale
        rows = better[0] if self._whole else better.reshape(-1, *[1] * (scale.ndim - 1))
        params = replace(codes.params, scale=np.where(rows, scale, old).astype(np.float32))
        self.found = QTensor(np.where(better[:, None], codes.codes, self.found.codes), params)
        self._errors = np.where(better, errors, self._errors)
