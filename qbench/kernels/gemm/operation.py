"""Matrix products as objects: the rhs is packed once, `run` takes any number of lhs rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.operation import ChannelParams, bind, lhs_words, pack_weights
from qbench.kernels.conv.reference import Codes, Window
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_t2
from qbench.kernels.variants import choose

PACKERS = {"b1_b1": pack_u8_b1, "t2_t2": pack_u8_t2}


class Gemm:
    """acc = lhs @ rhs.T on packed integer codes, int32 (m, n).

    Args:
        rhs: (n, k): s8 codes for `u8_s8`; indices into `values` for `u8_t4`, `u8_t2`, `u8_t1`; -1 and 1 for `b1_b1`;
            -1, 0 and 1 for `t2_t2`.
        product: the operation.
        variant: kernel variant, or `auto`.
        values: the s8 levels of table products.
    """

    def __init__(
        self, rhs: Codes, product: str = "u8_s8", *, variant: str = "auto", values: npt.NDArray[np.int8] | None = None
    ) -> None:
        self.n, self.k = rhs.shape
        self.product, self.variant = product, choose(variant)
        self._weights = pack_weights(rhs.reshape(self.n, 1, 1, self.k), product, self.variant, values=values)
        base = self.k if product == "b1_b1" else 0
        zeros = np.zeros(self.n, np.float32)
        self._params = ChannelParams(np.full(self.n, base, np.int32), zeros, zeros)

    def run(self, lhs: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 (m, n) of u8 rows (m, k): any code for u8 products, 0 or 1 for binary, 0, 1 or 2 for ternary."""
        rows = len(lhs)
        words = lhs_words(self.product, self.k)
        item = 4 if self.product in PACKERS else 1
        a = Layout(rows, 1, 1, self.k, words, item)
        out = Layout(rows, 1, 1, self.n, padded_channels(self._weights.channels), 4)
        source = aligned(a.size_bytes)
        if self.product in PACKERS:
            source.view(np.uint32).reshape(rows, words)[:] = PACKERS[self.product](lhs)
        else:
            source.reshape(rows, words)[:, : self.k] = lhs
        target = aligned(out.size_bytes)
        bound = bind(self.product, "s32", self.variant, Window((1, 1)), a, out, self._weights, self._params)
        head: tuple[Any, ...] = bound.arguments(source, target, None, "s32", self.product)
        bound.kernel(*head, 0, rows)
        return target.view(np.int32).reshape(rows, -1)[:, : self.n].copy()
