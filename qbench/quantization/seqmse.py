"""`seqmse`: the step of every channel that leaves the least error of its output, layer after layer.

The candidates are shares of the step that the method chose, all slices of a channel together; L is the mean squared
error of the output, the candidate's inputs being those of the quantized layers before it. Activations keep their
ranges. Source: AIMET's "sequential MSE"; the error is that of its `seq_mse`, the sum over the inputs taken first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from qbench.core.granularity import PerTensor
from qbench.core.spec import LayerSpec
from qbench.core.tensor import Floats, QTensor
from qbench.graph import QuantizedNetwork
from qbench.methods import quantize
from qbench.quantization.equal_steps import is_on_grid, moved_steps_reason
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.walk import Moments, layer_by_layer

SHARES = np.concatenate([np.linspace(0.3, 0.76, 24), np.linspace(0.78, 1.3, 53)])
"""Candidates, as shares of the method's step: 1 % apart round it, 2 % below."""


class Seqmse:
    """Choose the steps of weights by the error of each layer's output."""

    name: ClassVar[str] = "seqmse"
    version: ClassVar[int] = 1
    place: ClassVar[Place] = "rounding"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the scales of `spec` cannot be moved, or None."""
        return moved_steps_reason(self.name, spec.weights)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other scales, rounded to nearest; raise QBenchError as `layer_by_layer`."""
        return layer_by_layer(quantized, seen, name=self.name, make=chosen)


def chosen(rows: Floats, codes: QTensor, moments: Moments) -> QTensor:
    """Return the codes of a layer under the best candidate of each channel, or of all where they share a scale."""
    if is_on_grid(rows, codes.params):
        return codes
    whole = isinstance(codes.spec.granularity, PerTensor)
    best, least = np.ones(len(rows)), moments.errors(codes.dequantize())
    least = np.full_like(least, least.sum()) if whole else least
    for share in SHARES:
        params = replace(codes.params, scale=(codes.params.scale * np.float32(share)))
        errors = moments.errors(QTensor(quantize(rows, params), params).dequantize())
        errors = np.full_like(errors, errors.sum()) if whole else errors
        best, least = np.where(errors < least, share, best), np.minimum(errors, least)
    old = codes.params.scale
    shares = best[0] if whole else best.reshape(-1, *[1] * (old.ndim - 1))
    params = replace(codes.params, scale=(old * shares).astype(np.float32))
    kept = best[:, None] == 1  # a method's codes need not be the nearest ones
    return QTensor(np.where(kept, codes.codes, quantize(rows, params)), params)
