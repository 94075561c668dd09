"""Floats of few bits: sign, exponent, mantissa, with subnormals; what they can say, and rounding to it.

| name | exponent | mantissa | bias | largest | what is no number |
|---|---|---|---|---|---|
| e2m1 | 2 | 1 | 1 | 6 | nothing |
| e4m3 | 4 | 3 | 7 | 448 | one pattern a sign |
| e5m2 | 5 | 2 | 15 | 57344 | the whole highest exponent |

Sources: Micikevicius et al. 2022, "FP8 formats for deep learning", table 1; Open Compute Project, "OCP microscaling
formats (MX) specification", version 1.0, section 5.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats
from qbench.methods.fitting.slices import Doubles


@dataclass(frozen=True, slots=True)
class Minifloat:
    """A float format of at most 8 bits.

    Args:
        name: `e<exponent bits>m<mantissa bits>`.
        mantissa: bits of the mantissa.
        bias: of the exponent.
        largest: the largest number.
    """

    name: str
    mantissa: int
    bias: int
    largest: float

    @property
    def lowest_exponent(self) -> int:
        """The exponent of the smallest normal number, and of all that are below it."""
        return 1 - self.bias

    @property
    def smallest(self) -> float:
        """The smallest number above 0."""
        return float(2.0 ** (self.lowest_exponent - self.mantissa))

    @property
    def largest_exponent(self) -> int:
        """The exponent of the largest number."""
        return int(np.floor(np.log2(self.largest)))

    def rounded(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return the nearest numbers of the format, ties to even, beyond the largest the largest; dtype is kept."""
        _, exponent = np.frexp(values)
        step = np.ldexp(np.ones((), values.dtype), np.maximum(exponent - 1, self.lowest_exponent) - self.mantissa)
        return np.asarray(np.clip(np.rint(values / step) * step, -self.largest, self.largest), values.dtype)

    def magnitudes(self) -> Doubles:
        """Return the numbers above 0, ascending."""
        top = self.largest_exponent
        normal = (1 + np.arange(2**self.mantissa) / 2**self.mantissa)[None] * np.exp2(
            np.arange(self.lowest_exponent, top + 1)
        )[:, None]
        below = np.arange(1, 2**self.mantissa) * self.smallest
        found = np.concatenate((below, normal.ravel()))
        return np.asarray(found[found <= self.largest])


E2M1 = Minifloat("e2m1", 1, 1, 6.0)
E4M3 = Minifloat("e4m3", 3, 7, 448.0)
E5M2 = Minifloat("e5m2", 2, 15, 57344.0)


def unit_of(kind: Minifloat) -> float:
    """Return what the levels of a table are counted in: halves for e2m1, which makes them whole numbers, else 1."""
    return kind.smallest if kind is E2M1 else 1.0


def float_levels(kind: Minifloat) -> Floats:
    """Return all numbers of the format in order, float32 (2**bits,); spare codes repeat the lowest at the start."""
    size = kind.magnitudes() / unit_of(kind)
    bits = 4 if kind is E2M1 else 8
    found = np.concatenate((-size[::-1], [0.0], size))
    return np.concatenate((np.full(2**bits - found.size, found[0]), found)).astype(np.float32)
