"""`ternary`: ternary weight networks (TWN). Codes -1, 0, 1.

Weights: numbers beyond threshold = 0.7 * mean |w| keep their sign, the rest become zero; scale = mean |w| of those
kept. On N(0, 1) that is threshold 0.5585, scale 1.1842, 42.35 % zeros. The rule's threshold is not half its scale, so
its codes are not those of rounding to nearest; `mse` with the ternary format finds the optimum (0.6120, 1.2240).
Activations, which are rounded to nearest as they pass, are taken from `mse`. Source: Li et al. 2016, "Ternary weight
networks".
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Ternary
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.methods.fitting.few_levels import FewLevels
from qbench.methods.fitting.slices import Doubles, absolute_maximum, as_scale, checked_weights, per_slice
from qbench.methods.method import refuse


class TernaryWeights(FewLevels):
    """Three levels, as in ternary weight networks."""

    name = "ternary"
    version = 1
    format = Ternary()
    only = "the three codes of 2 bits"

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return the codes of the TWN rule."""
        refuse(self.weights_reason(spec.format))
        array = checked_weights(self.name, weights)
        threshold = per_slice(array, spec.granularity, twn_threshold)
        scale = as_scale(per_slice(array, spec.granularity, _kept_mean))
        limit = expand(threshold.astype(np.float32), array.shape[1], spec.granularity)
        codes = np.where(np.abs(array) > limit, np.sign(array), 0).astype(np.int16)
        return QTensor(codes, QParams(spec, scale, np.zeros_like(scale)))


def twn_threshold(rows: Floats) -> Doubles:
    """Return 0.7 times the mean |w| of each row, float64 (rows,)."""
    return np.asarray(0.7 * np.abs(rows).mean(axis=1, dtype=np.float64))


def _kept_mean(rows: Floats) -> Doubles:
    size = np.abs(rows)
    kept = size > twn_threshold(rows).astype(np.float32)[:, None]
    count = np.maximum(kept.sum(axis=1), 1)
    mean = np.where(kept, size, 0).sum(axis=1, dtype=np.float64) / count
    return np.asarray(np.minimum(mean, absolute_maximum(rows)))


TERNARY = TernaryWeights()
