"""What is asked of a convolution or a product, before any way to compute it is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout
from qbench.kernels.product import Product


@dataclass(frozen=True, slots=True)
class Job:
    """An operation between two buffers.

    Args:
        product: what is multiplied. The correction of a signed lhs must take its codes as 128 more than they are.
        epilogue: what becomes of the sums, as it is asked for.
        variant: a name of `variants.NAMES`.
        window: geometry; the border of the lhs must be at least its padding.
        lhs: layout of the input buffer.
        out: layout of the output buffer.
        residual: layout of the residual buffer; the output's without one.
        zero_padding: whether the code of zero is 0, so that products with padding may be left out.
        groups: channels in groups of their own: 1, or as many as there are channels.
    """

    product: Product
    epilogue: Epilogue
    variant: str
    window: Window
    lhs: Layout
    out: Layout
    residual: Layout | None = None
    zero_padding: bool = False
    groups: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The numbers that a job multiplies by.

    Args:
        codes: OHWI; two's complement codes for `s1` to `s8` and `p<n>`, -1 and 1 for `b1`, -1, 0, 1 for `t2`, indices
            into `values` for `t4` and `t1`, float32 for `f32`.
        params: per-channel parameters.
        values: the s8 levels that indices stand for.
    """

    codes: npt.NDArray[Any]
    params: ChannelParams
    values: npt.NDArray[np.int8] | None = None

    @property
    def meant(self) -> npt.NDArray[Any]:
        """The numbers that codes stand for, OHWI."""
        return self.codes if self.values is None else self.values[self.codes]

    @property
    def sums(self) -> bool:
        """Whether the rows' sums are needed too, which k-groups of padding would spoil."""
        return self.params.shift is not None
