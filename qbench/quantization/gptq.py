"""`gptq`: codes column by column, the error of each pushed on to the columns that are not rounded yet.

For the rows w of a layer and the mean H of 2 x x^T over what the layer sees, rounding column i to q_i costs
(w_i - q_i)^2 / (H^-1)_ii, and the columns behind it take -(w_i - q_i) / (H^-1)_ii * (H^-1)_i,behind, which is the
least squares answer. With the upper Cholesky factor U of H^-1 the factors are U_i,behind / U_ii, so that H^-1 need not
be made anew. Columns go in the order of falling H_ii. Layers go in the network's order, and each sees what the layers
before it, quantized already as their inputs are, give it (`walk.py`). Scales, zero points and levels stay those that
the method chose, per tensor, channel or group. Source: Frantar et al. 2023, "GPTQ: Accurate post-training quantization
for generative pre-trained transformers", algorithm 1 and section 3.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular

from qbench.core.granularity import PerChannel
from qbench.core.spec import LayerSpec, QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.graph import QuantizedNetwork
from qbench.methods import dequantize, quantize
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.observations import Observations
from qbench.quantization.stages import Place
from qbench.quantization.walk import Moments, layer_by_layer

DAMPING = 0.01
"""Share of the mean of H's diagonal that is added to it, so that it can be inverted."""
BLOCK = 128
"""Columns whose errors are gathered before they are pushed on beyond the block."""


class Gptq:
    """Round again, column by column, so that later columns make up for the error of earlier ones."""

    name: ClassVar[str] = "gptq"
    version: ClassVar[int] = 2
    place: ClassVar[Place] = "rounding"
    needs_samples: ClassVar[bool] = True

    def supports(self, spec: LayerSpec) -> str | None:
        """Return None: every format has a nearest code."""
        return None

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network with other codes under the same scales; raise QBenchError as `layer_by_layer`."""

        def made(rows: Floats, codes: QTensor, moments: Moments) -> QTensor:
            return rounded(rows, codes.params, moments.gram)

        return layer_by_layer(quantized, seen, name=self.name, make=made, beside=False)


def rounded(rows: npt.NDArray[np.float32], params: QParams, gram: Doubles) -> QTensor:
    """Return the codes of a layer.

    Args:
        rows: weights, float32 (channels, depth).
        params: what codes mean; kept as they are.
        gram: mean of x x^T, float64 (groups, depth, depth): channels share the groups in order.
    """
    channels, depth = rows.shape
    columns = _Columns(params, channels, depth)
    each = channels // len(gram)
    codes = np.empty(rows.shape, np.int16)
    for group, hessian in enumerate(gram):
        part = slice(group * each, (group + 1) * each)
        codes[part] = _rounded(rows[part].astype(np.float64), columns, part, 2.0 * hessian)
    return QTensor(codes, params)


class _Columns:
    """Parameters of single columns: scale and zero point of every channel there."""

    def __init__(self, params: QParams, channels: int, depth: int) -> None:
        granularity, shape = params.spec.granularity, (channels, depth)
        self._params = params
        self._spec = QuantSpec(params.spec.format, PerChannel())
        self._scale, self._zero = (
            np.broadcast_to(expand(values, depth, granularity), shape) for values in (params.scale, params.zero_point)
        )

    def rounded(self, column: Doubles, part: slice, place: int) -> tuple[npt.NDArray[np.int16], Doubles]:
        """Return the nearest codes of one column of some channels, and what they stand for."""
        params = replace(
            self._params, spec=self._spec, scale=self._scale[part, place], zero_point=self._zero[part, place]
        )
        codes = quantize(column[:, None].astype(np.float32), params)
        return codes[:, 0], dequantize(codes, params)[:, 0].astype(np.float64)


def _rounded(weights: Doubles, columns: _Columns, part: slice, hessian: Doubles) -> npt.NDArray[np.int16]:
    """Return the codes of some channels that see the same inputs."""
    diagonal = np.diag(hessian).copy()
    order = np.argsort(-diagonal, kind="stable")
    factor = _factor(hessian[np.ix_(order, order)])
    left, codes = weights[:, order], np.empty(weights.shape, np.int16)
    for start in range(0, len(order), BLOCK):
        stop = min(start + BLOCK, len(order))
        errors = np.empty((len(left), stop - start))
        for place in range(start, stop):
            column = int(order[place])
            codes[:, column], found = columns.rounded(left[:, place], part, column)
            error = (left[:, place] - found) / factor[place, place]
            left[:, place + 1 : stop] -= np.outer(error, factor[place, place + 1 : stop])
            errors[:, place - start] = error
        left[:, stop:] -= errors @ factor[start:stop, stop:]
    return codes


def _factor(hessian: Doubles) -> Doubles:
    """Return the upper Cholesky factor of the damped inverse; inputs that are always 0 stand alone."""
    damped = hessian.copy()
    diagonal = np.einsum("ii->i", damped)
    diagonal[diagonal <= 0] = 1.0
    diagonal += DAMPING * float(np.mean(diagonal))
    lower = cholesky(damped, lower=True)
    inverse = solve_triangular(lower, np.eye(len(damped)), lower=True)
    upper: Doubles = cholesky(inverse.T @ inverse, lower=False)
    return upper
