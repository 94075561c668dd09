"""A convolution's algorithm: direct, or Winograd's where that is exact and pays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.operation import BoundConv, bind
from qbench.kernels.conv.pack import is_words, pack_weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Codes, Window
from qbench.kernels.layout import Layout
from qbench.kernels.tasks import Task
from qbench.kernels.tiles.products import product_of
from qbench.kernels.tiles.targets import target_of
from qbench.kernels.variants import PORTABLE, dot_of
from qbench.kernels.winograd.choice import admits, least_images
from qbench.kernels.winograd.fields import UNPACKED
from qbench.kernels.winograd.operation import BoundWinograd, bind_winograd, panels

Bytes = npt.NDArray[np.uint8]


class Bound(Protocol):
    """A convolution joined to weights, parameters and layouts."""

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        ...

    @property
    def epilogue(self) -> str:
        """The epilogue, with the words that binding found."""
        ...

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights and parameters in memory."""
        ...

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs."""
        ...

    def task(self, lhs: Bytes, out: Bytes, residual: Bytes | None = None, *, scratch: Bytes | None = None) -> Task:
        """Return the task that reads and writes these buffers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """A convolution by Winograd's products, or directly where fewer than `least` images come."""

    direct: BoundConv
    winograd: BoundWinograd
    least: int

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        return f"{self.winograd.name} from {self.least} images"

    @property
    def epilogue(self) -> str:
        """The epilogue, with the words that binding found."""
        return self.winograd.epilogue

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights, counted once where they are shared, and parameters."""
        shared = self.winograd.weights.data.size if self.direct.weights is self.winograd.weights else 0
        return self.direct.resident_bytes + self.winograd.resident_bytes - shared

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs."""
        return self.winograd.scratch_bytes

    def task(self, lhs: Bytes, out: Bytes, residual: Bytes | None = None, *, scratch: Bytes | None = None) -> Task:
        """Return the task that reads and writes these buffers."""
        many = self.winograd.task(lhs, out, residual, scratch=scratch)
        return replace(many, few=self.direct.task(lhs, out, residual), least=self.least)


def bind_conv(
    codes: Codes, product: str, epilogue: str, variant: str, window: Window, lhs: Layout, out: Layout,
    params: ChannelParams, *, values: npt.NDArray[np.int8] | None = None, residual: Layout | None = None,
    zero_padding: bool = False, algorithm: Algorithm = "auto",
) -> Bound:  # fmt: skip
    """Pack weights and join them to parameters and layouts.

    Args:
        codes: OHWI weights; see `conv.pack.pack_weights`.
        product: e.g. `u8_s8`.
        epilogue: e.g. `u8+residual`; see `tiles.tile`.
        variant: a name of `variants.NAMES`.
        window: geometry.
        lhs: layout of the input buffer.
        out: layout of the output buffer.
        params: per-channel parameters.
        values: the s8 levels that indices stand for.
        residual: layout of the residual buffer.
        zero_padding: whether the code of zero is 0.
        algorithm: `auto` takes Winograd's where it is exact and pays, `winograd` wherever it is exact.
    """
    least = 0
    if algorithm != "direct" and _may_be_winograd(codes, product, variant, window, lhs, out, params, values):
        skipped = window.pads[0] + window.pads[2] if zero_padding else 0
        worth = least_images(len(codes), lhs, out, target_of(variant), rows_skipped=skipped) or 0
        least = 1 if algorithm == "winograd" else worth
    if least == 1:
        return bind_winograd(
            codes, product, epilogue, variant, window, lhs, out, params, values=values, residual=residual
        )
    sums = params.shift is not None
    packed = pack_weights(codes, product, variant, values=values, group_size=params.group_size, sums=sums)
    direct = bind(
        product, epilogue, variant, window, lhs, out, packed, params, residual=residual, zero_padding=zero_padding
    )
    if not least:
        return direct
    alike = direct.shape == panels(len(codes), variant) and lhs.words == codes.shape[-1]
    winograd = bind_winograd(
        codes, product, epilogue, variant, window, lhs, out, params, values=values, residual=residual,
        weights=packed if alike and dot_of(variant) == UNPACKED else None,
    )  # fmt: skip
    return Either(direct, winograd, least)


def _may_be_winograd(
    codes: Codes, product: str, variant: str, window: Window, lhs: Layout, out: Layout, params: ChannelParams,
    values: npt.NDArray[np.int8] | None,
) -> bool:  # fmt: skip
    if variant == PORTABLE or is_words(product) or product_of(product).is_float:
        return False
    meant = codes if values is None else values[codes]
    return admits(meant, product, window, lhs, out, params, target_of(variant))
