"""What can be mended after weights are rounded: the spread of each slice, and the mean of each output channel.

A clipped grid of least squared error shrinks: the codes' reals have less power than the weights had (at 3 bits about
2 % in amplitude), layer after layer. `variance_corrected` stretches each slice's scale until the spread is back; the
codes stay. The rounding error of a channel's weights times the mean of its inputs shifts the channel's mean; the shift
is taken from the bias. Both cost nothing when the network runs. No activation is looked at here: means come from the
caller. Sources: Banner et al. 2019, "Post training 4-bit quantization", 4.2; Nagel et al. 2019, "Data-free
quantization", 4.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats, QTensor
from qbench.methods.fitting.slices import Doubles, per_slice

VERSION = 1
"""Raised whenever what is corrected changes: part of the hash under which results are cached."""


def variance_corrected(weights: Floats, codes: QTensor) -> QTensor:
    """Return `codes` with every scale times std(weights) / std(reals) of its slice; slices without spread keep theirs.

    Args:
        weights: float32 (channels, depth), as they were before rounding.
        codes: their codes.
    """
    granularity = codes.spec.granularity
    wanted, found = (per_slice(array, granularity, _spread) for array in (weights, codes.dequantize()))
    ratio = np.where((wanted > 0) & (found > 0), wanted / np.where(found > 0, found, 1.0), 1.0)
    scale = (codes.params.scale.astype(np.float64) * ratio).astype(np.float32)
    return QTensor(codes.codes, replace(codes.params, scale=scale))


def bias_shift(weights: Floats, codes: QTensor, means: Doubles) -> Doubles:
    """Return how far rounding moves the mean of each output channel; float64 (channels,), to be taken from the bias.

    Args:
        weights: float32 (channels, depth), as they were before rounding.
        codes: their codes.
        means: mean input at each place of the depth, float64 (groups, depth): channels share the groups in order.
    """
    error = codes.dequantize().astype(np.float64) - weights
    groups = len(means)
    each = error.reshape(groups, -1, error.shape[1])
    shift: Doubles = np.einsum("gcd,gd->gc", each, means).reshape(-1)
    return shift


def _spread(rows: npt.NDArray[Any]) -> Doubles:
    return np.asarray(rows.std(axis=1, dtype=np.float64))
