"""`log_floor_signed`: the logarithm by floor for numbers with signs and zeros, as weights are.

The sign takes one bit and zero one code, so b bits leave m = 2**(b-1) - 1 magnitudes a sign (one code is spare):

    q = floor((log|r| - log r_min) / (log r_max - log r_min) * (m - 1))
    real = sign(r) * exp(log r_min + q / (m - 1) * (log r_max - log r_min))

with r_min and r_max the smallest and largest magnitudes that are not zero. So b bits have the steps of a positive
logarithm of b - 1 bits, less one. r_min is the smallest magnitude there is, as in the definition, however small:
coarse steps are the price, and `log` shows what choosing the range gains. Two bits would leave one magnitude, which
spans no range: refused.

Source: ours, after the definition of `log_floor`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Float32, Logarithmic, NumberFormat
from qbench.core.spec import QuantSpec
from qbench.core.tensor import Floats, QParams, expand
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, level_params, signed_table, slice_maximum
from qbench.methods.fitting.slices import SMALLEST_SCALE
from qbench.methods.method import refuse
from qbench.methods.nonlinear import LOGARITHM


class LogFloorSigned(LevelMethod):
    """Sign, zero, and magnitudes by the logarithm, rounded down."""

    name = "log_floor_signed"
    rounding = "floor"

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the logarithmic format, 3 bits at least."""
        refuse(self.format_reason(Logarithmic(bits)))
        return Logarithmic(bits)

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why the method does not make numbers of the format, or None."""
        if isinstance(number_format, Float32) or (isinstance(number_format, Logarithmic) and number_format.bits > 2):
            return None
        if isinstance(number_format, Logarithmic):
            return f"{self.name}: a sign and a zero leave 2 bits one magnitude, which spans no range; 3 bits or more"
        return f"{self.name}: makes Logarithmic numbers, not the format {number_format}"

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table from the smallest magnitude (in units of its slice's largest) to 1."""
        scale = slice_maximum(weights, spec)
        unit = np.abs(weights / expand(scale, weights.shape[1], spec.granularity))
        return self._params(spec, scale, float(np.min(unit, where=unit > 0, initial=1.0)))

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table from the smallest to the largest magnitude observed."""
        largest = stats.absolute_maximum
        if largest < SMALLEST_SCALE:
            return self._params(spec, np.float32(1), 1.0)
        return self._params(spec, np.float32(largest), stats.smallest / largest)

    def _params(self, spec: QuantSpec, scale: npt.ArrayLike, smallest: float) -> QParams:
        bits = spec.format.bits
        count = 2 ** (bits - 1) - 1
        sizes = LOGARITHM.reals(np.arange(count) * ((2**bits - 1) / (count - 1)), smallest, 1.0, bits)
        return level_params(spec, scale, signed_table(sizes, bits), rounding=self.rounding)


LOG_FLOOR_SIGNED = LogFloorSigned()
