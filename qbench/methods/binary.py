"""`binary`: XNOR-Net. Codes -1 and 1: the sign (0 becomes +1), with scale = mean |w| of each slice.

That scale is the optimum for signs; on N(0, 1) it is 0.7979. A slice of zeros has no sign and no code for zero: it
gets the smallest scale, which is as near to zero as makes no difference. Activations are taken from `mse`: signs by
mean |x|, or when nothing is negative the two levels 0 and 2 * scale (zero point -1). Source: Rastegari et al. 2016,
"XNOR-Net", 3.1.
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Binary
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.methods.fitting.few_levels import FewLevels
from qbench.methods.fitting.slices import Doubles, checked_weights, per_slice
from qbench.methods.law import quantize
from qbench.methods.method import refuse
from qbench.methods.mse import binary_scale


class BinaryWeights(FewLevels):
    """Two levels, as in XNOR-Net."""

    name = "binary"
    version = 1
    format = Binary()
    only = "1 bit"

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return signs, and the mean magnitude of each slice."""
        refuse(self.weights_reason(spec.format))
        array = checked_weights(self.name, weights)
        scale = binary_scale(per_slice(array, spec.granularity, _mean_magnitude))
        params = QParams(spec, scale, np.zeros_like(scale))
        return QTensor(quantize(array, params), params)


def _mean_magnitude(rows: Floats) -> Doubles:
    return np.asarray(np.abs(rows).mean(axis=1, dtype=np.float64))


BINARY = BinaryWeights()
