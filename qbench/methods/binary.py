"""`binary`: XNOR-Net. Codes -1 and 1: the sign (0 becomes +1), with scale = mean |w| of each slice.

That scale is the optimum for signs; on N(0, 1) it is 0.7979. A slice of zeros has no sign and no code for zero: it
gets the smallest scale, which is as near to zero as makes no difference. Activations are taken from `mse`: signs by
mean |x|, or when nothing is negative the two levels 0 and 2 * scale (zero point -1). Source: Rastegari et al. 2016,
"XNOR-Net", 3.1.
"""

from __future__ import annotations

import numpy as np

from qbench.core.formats import Binary, Float32, NumberFormat
from qbench.core.spec import LayerSpec, QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.law import quantize
from qbench.methods.method import granularity_reason, mse_activation_reason, refuse
from qbench.methods.mse import MSE, binary_scale
from qbench.methods.slices import Doubles, checked_weights, per_slice


class BinaryWeights:
    """Two levels, as in XNOR-Net."""

    name = "binary"
    version = 1

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the binary format at 1 bit; raise QBenchError at other widths."""
        if bits != 1:
            raise QBenchError(f"binary: weights have 1 bit, not {bits}")
        return Binary()

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the binary format at 1 bit, unsigned codes with a zero point at other widths."""
        return Binary() if bits == 1 else activation_uniform(bits)

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the method cannot do `spec`, or None."""
        return (
            self.weights_reason(spec.weights.format)
            or mse_activation_reason(self.name, spec.activations.format)
            or granularity_reason(self.name, spec)
        )

    def weights_reason(self, number_format: NumberFormat) -> str | None:
        """Return why weights cannot have the format, or None."""
        if isinstance(number_format, Float32 | Binary):
            return None
        return f"binary: weights are binary, not in the format {number_format}"

    def quantize_weights(self, weights: Floats, spec: QuantSpec, *, seed: int = 0) -> QTensor:
        """Return signs, and the mean magnitude of each slice."""
        refuse(self.weights_reason(spec.format))
        array = checked_weights(self.name, weights)
        scale = binary_scale(per_slice(array, spec.granularity, _mean_magnitude))
        params = QParams(spec, scale, np.zeros_like(scale))
        return QTensor(quantize(array, params), params)

    def activation_params(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the parameters of `mse`."""
        refuse(mse_activation_reason(self.name, spec.format))
        return MSE.activation_params(stats, spec)


def _mean_magnitude(rows: Floats) -> Doubles:
    return np.asarray(np.abs(rows).mean(axis=1, dtype=np.float64))


BINARY = BinaryWeights()
