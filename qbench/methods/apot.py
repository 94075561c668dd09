"""`apot`: sums of powers of two, which mend the rigid resolution of `pot`: dense near 0 and never coarse far from it.

A magnitude of b - 1 bits is the sum of n = (b - 1) // 2 terms of 2 bits, and of one of 1 bit where b - 1 is odd. A term
is 0 or one of three powers of two; the terms take the exponents -1, -2, ... in turns, twice round, then the 1-bit term
takes one, then each its third. In units of the smallest power levels are whole numbers: 4 bits have the magnitudes
0, 1, 2, 3, 4, 6, 8, 10 and run on table kernels, 5 and 6 bits fit bytes; 7 and 8 bits do not, and are simulated. At 2
and 3 bits they are those of `pot`. Scales are those of least squared error. Activations are uniform.
Source: Li, Dong and Wang 2020, "Additive powers-of-two quantization", equations 3 to 5.
"""

from __future__ import annotations

import itertools

import numpy as np

from qbench.core.formats import Codebook, Float32, NumberFormat
from qbench.core.spec import QuantSpec, activation_uniform
from qbench.core.tensor import Floats, QParams
from qbench.errors import QBenchError
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.fitting.level_tables import LevelMethod, level_params, searched_scales, signed_table
from qbench.methods.fitting.sorted_points import SortedPoints, best_multiple

_SHARES = 2.0 ** (0.25 - np.arange(25) / 8)


class AdditivePowers(LevelMethod):
    """Sums of powers of two."""

    name = "apot"

    def weight_format(self, bits: int) -> NumberFormat:
        """Return the table's format, 2 bits at least."""
        if bits < 2:
            raise QBenchError(f"{self.name}: has numbers of at least 2 bits, not of {bits}")
        return Codebook(bits, "apot")

    def activation_format(self, bits: int) -> NumberFormat:
        """Return the uniform format: a table of weights feeds integer kernels, levels of activations would not."""
        return activation_uniform(bits)

    def format_reason(self, number_format: NumberFormat) -> str | None:
        """Return why the method does not make numbers of the format, or None."""
        if isinstance(number_format, Float32):
            return None
        if isinstance(number_format, Codebook) and number_format.kind == "apot" and number_format.bits > 1:
            return None
        return f"{self.name}: makes sums of powers of two of 2 to 8 bits, not the format {number_format}"

    def fit_weights(self, weights: Floats, spec: QuantSpec) -> QParams:
        """Return the table, and for each slice the scale of least squared error."""
        levels = additive_levels(spec.format.bits)
        unit = np.unique(levels[levels >= 0]) / levels[-1]
        middles = (unit[1:] + unit[:-1]) * np.float32(0.5)
        return searched_scales(weights, spec, levels, _SHARES, lambda x: unit[np.searchsorted(middles, x)])

    def fit_activations(self, stats: ActivationStats, spec: QuantSpec) -> QParams:
        """Return the table and the scale of least squared error on the histogram."""
        levels = additive_levels(spec.format.bits)
        scale = best_multiple(SortedPoints(*stats.points()), np.unique(levels).astype(np.float64))
        return level_params(spec, scale or 1.0, levels)


def additive_levels(bits: int) -> Floats:
    """Return the table of zero and +- sums of powers of two, whole numbers, float32 (2**bits,)."""
    terms, odd = divmod(bits - 1, 2)
    exponents = [[place + 1, terms + place + 1, 2 * terms + odd + place + 1] for place in range(terms)]
    if odd:
        exponents.append([2 * terms + 1])
    deepest = max(itertools.chain(*exponents))
    choices = [(0, *(2 ** (deepest - one) for one in of)) for of in exponents]
    sums = sorted({sum(chosen) for chosen in itertools.product(*choices)} - {0})
    return signed_table(sums, bits)


APOT = AdditivePowers()
