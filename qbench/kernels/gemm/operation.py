"""Matrix products as objects: the rhs is packed once, `bind` joins it to buffers, `run` takes any number of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv, bind
from qbench.kernels.conv.pack import pack_weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Codes, Window
from qbench.kernels.epilogue import Epilogue, Kind, Words
from qbench.kernels.layout import Layout, aligned, padded_channels
from qbench.kernels.pack.reference import pack_words
from qbench.kernels.product import Product, parse_product
from qbench.kernels.program import run_task
from qbench.kernels.variants import choose

PAGE_BYTES = 4096
LINE_BYTES = 64


def row_words(product: Product, k: int) -> int:
    """Return the words from one lhs row to the next.

    A row of whole pages gets a cache line more: rows 4 KiB apart compete for one set of the first-level cache.
    """
    words, item = product.pixel_words(k), np.dtype(product.lhs_dtype).itemsize
    return words + LINE_BYTES // item if words * item % PAGE_BYTES == 0 else words


class Gemm:
    """lhs @ rhs.T on packed codes.

    Args:
        rhs: (n, k) codes as `conv.job.Weights` holds them.
        product: name of the product, e.g. `u8_s8`.
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
        epilogue: Kind = "s32",
    ) -> None:
        self.n, self.k = rhs.shape
        self.product, self.variant = parse_product(product), choose(variant)
        zeros = np.zeros(self.n, np.float32)
        given = params or ChannelParams(zeros.astype(np.int32), zeros, zeros)
        self.epilogue = Epilogue(epilogue, Words(grouped=given.group_size > 0))
        self._params = replace(given, correction=given.correction + self._own_correction(rhs, given.group_size))
        weights = Weights(rhs.reshape(self.n, 1, 1, self.k), self._params, values)
        self.weights = pack_weights(weights, self.product, self.variant)

    def _own_correction(self, rhs: Codes, group_size: int) -> npt.NDArray[np.int32]:
        """Return what the product itself owes: the depth of binary ones, 128 column sums of a signed lhs."""
        size = group_size or self.k
        starts = np.arange(0, self.k, size)
        if self.product.is_binary:
            owed = np.repeat(np.diff(np.append(starts, self.k))[:, None], self.n, axis=1)
        elif self.product.is_signed:
            owed = -128 * np.add.reduceat(rhs.astype(np.int64), starts, axis=1).T
        else:
            owed = np.zeros((len(starts), self.n), np.int64)
        return (owed if group_size else owed[0]).astype(np.int32)

    def layouts(self, rows: int) -> tuple[Layout, Layout]:
        """Return the layouts of the lhs and of the result for so many rows."""
        item = np.dtype(self.product.lhs_dtype).itemsize
        a = Layout(rows, 1, 1, self.k, row_words(self.product, self.k), item)
        return a, Layout(rows, 1, 1, self.n, padded_channels(self.weights.channels), self.epilogue.item_bytes)

    def bind(self, rows: int) -> BoundConv:
        """Return the product for `rows` lhs rows; one "image" is one row."""
        job = Job(self.product, self.epilogue, self.variant, Window((1, 1)), *self.layouts(rows))
        return bind(job, self.weights, self._params)

    def fill(self, buffer: npt.NDArray[np.uint8], lhs: npt.NDArray[np.generic]) -> None:
        """Write lhs codes (m, k) into a buffer of the lhs layout."""
        rows, words = buffer.view(self.product.lhs_dtype).reshape(len(lhs), -1), self.product.pixel_words(self.k)
        if self.product.is_words:
            rows[:, :words] = pack_words(self.product, lhs.astype(np.uint8))
        else:
            rows[:, : self.k] = lhs if self.product.is_float else lhs.view(np.uint8)

    def run(self, lhs: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return (m, n) of lhs rows (m, k), as int32, u8 or f32 by the epilogue.

        u8 products take any code, binary 0 or 1, ternary 0, 1 or 2, planes codes of their bits, float ones float32.
        """
        a, out = self.layouts(len(lhs))
        source, target = aligned(a.size_bytes), aligned(out.size_bytes)
        self.fill(source, lhs)
        run_task(self.bind(len(lhs)).task(source, target), images=len(lhs))
        result: npt.NDArray[np.generic] = target.view(self.epilogue.dtype).reshape(len(lhs), -1)[:, : self.n].copy()
        return result
