"""Matrix products as objects: the rhs is packed once, `bind` joins it to buffers, `run` takes any number of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.operation import OUT_DTYPE, BoundConv, bind, lhs_dtype, lhs_words
from qbench.kernels.conv.pack import is_words, pack_weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Codes, Window
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_u8_b1, pack_u8_planes, pack_u8_t2
from qbench.kernels.program import run_task
from qbench.kernels.tiles.products import product_of
from qbench.kernels.variants import choose

PAGE_BYTES = 4096
LINE_BYTES = 64


def row_words(product: str, k: int) -> int:
    """Return the words from one lhs row to the next.

    A row of whole pages gets a cache line more: rows 4 KiB apart compete for one set of the first-level cache.
    """
    words, item = lhs_words(product, k), np.dtype(lhs_dtype(product)).itemsize
    return words + LINE_BYTES // item if words * item % PAGE_BYTES == 0 else words


class Gemm:
    """lhs @ rhs.T on packed codes.

    Args:
        rhs: (n, k) codes as `conv.pack.pack_weights` takes them.
        product: the operation, e.g. `u8_s8`.
        variant: kernel variant, or `auto`.
        values: the s8 levels of table products.
        params: scales and offsets for results of u8 or f32; the correction is added to what the product needs itself.
        epilogue: `s32`, `u8` or `f32`.
    """

    def __init__(
        self,
        rhs: Codes,
        product: str = "u8_s8",
        *,
        variant: str = "auto",
        values: npt.NDArray[np.int8] | None = None,
        params: ChannelParams | None = None,
        epilogue: str = "s32",
    ) -> None:
        self.n, self.k = rhs.shape
        self.product, self.variant, self.epilogue = product, choose(variant), epilogue
        zeros = np.zeros(self.n, np.float32)
        given = params or ChannelParams(zeros.astype(np.int32), zeros, zeros)
        flags = "+grouped" if given.group_size else ""
        self._flags = epilogue + flags
        self.weights = pack_weights(
            rhs.reshape(self.n, 1, 1, self.k), product, self.variant, values=values, group_size=given.group_size
        )
        self._params = replace(given, correction=given.correction + self._own_correction(rhs, given.group_size))

    def _own_correction(self, rhs: Codes, group_size: int) -> npt.NDArray[np.int32]:
        """Return what the product itself owes: the depth of binary ones, 128 column sums of a signed lhs."""
        size = group_size or self.k
        starts = np.arange(0, self.k, size)
        if self.product == "b1_b1":
            owed = np.repeat(np.diff(np.append(starts, self.k))[:, None], self.n, axis=1)
        elif self.product.startswith("s8"):
            owed = -128 * np.add.reduceat(rhs.astype(np.int64), starts, axis=1).T
        else:
            owed = np.zeros((len(starts), self.n), np.int64)
        return (owed if group_size else owed[0]).astype(np.int32)

    def layouts(self, rows: int) -> tuple[Layout, Layout]:
        """Return the layouts of the lhs and of the result for so many rows."""
        kind = self.epilogue
        a = Layout(rows, 1, 1, self.k, row_words(self.product, self.k), np.dtype(lhs_dtype(self.product)).itemsize)
        words = padded_channels(self.weights.channels)
        return a, Layout(rows, 1, 1, self.n, words, np.dtype(OUT_DTYPE[kind]).itemsize)

    def bind(self, rows: int) -> BoundConv:
        """Return the product for `rows` lhs rows; one "image" is one row."""
        return bind(
            self.product, self._flags, self.variant, Window((1, 1)), *self.layouts(rows), self.weights, self._params
        )

    def fill(self, buffer: npt.NDArray[np.uint8], lhs: npt.NDArray[np.generic]) -> None:
        """Write lhs codes (m, k) into a buffer of the lhs layout."""
        rows, words = buffer.view(lhs_dtype(self.product)).reshape(len(lhs), -1), lhs_words(self.product, self.k)
        if is_words(self.product):
            codes = lhs.astype(np.uint8)
            planes = int(self.product[1]) if self.product[0] == "p" else 0
            pack = pack_u8_b1 if self.product == "b1_b1" else pack_u8_t2
            rows[:, :words] = pack_u8_planes(codes, planes) if planes else pack(codes)
        else:
            rows[:, : self.k] = lhs if product_of(self.product).is_float else lhs.view(np.uint8)

    def run(self, lhs: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return (m, n) of lhs rows (m, k), as int32, u8 or f32 by the epilogue.

        u8 products take any code, binary 0 or 1, ternary 0, 1 or 2, planes codes of their bits, float ones float32.
        """
        a, out = self.layouts(len(lhs))
        source, target = aligned(a.size_bytes), aligned(out.size_bytes)
        self.fill(source, lhs)
        run_task(self.bind(len(lhs)).task(source, target), images=len(lhs))
        result: npt.NDArray[np.generic] = (
            target.view(OUT_DTYPE[self.epilogue]).reshape(len(lhs), -1)[:, : self.n].copy()
        )
        return result
