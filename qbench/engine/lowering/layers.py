"""From a layer with quantized weights and activations to what kernels are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import QTensor
from qbench.engine.lowering.numbers import Numbers, numbers_alone, numbers_of
from qbench.engine.lowering.params import Ends, channel_params
from qbench.engine.lowering.products import Levels, device_product, float_product, product_for
from qbench.engine.windows import has_own_windows
from qbench.graph.network import Conv, Layer
from qbench.kernels.conv.job import Weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.epilogue import Words
from qbench.kernels.product import U8_S8, Product


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """What kernels are asked for. `codes` are s8 values, or indices into `values`, as OHWI.

    `groups` are 1, or the channels where each has a window of its own; codes are then (channels, kh, kw, 1).
    """

    product: Product
    words: Words
    codes: npt.NDArray[Any]
    values: Levels | None
    params: ChannelParams
    groups: int = 1

    @property
    def weights(self) -> Weights:
        """What kernels multiply by."""
        return Weights(self.codes, self.params, self.values)

    @property
    def levels(self) -> npt.NDArray[np.int16]:
        """The levels that codes stand for."""
        return np.asarray(self.weights.meant, np.int16)

    @property
    def device_params(self) -> ChannelParams:
        """The parameters for the device, which counts the depth of binary codes itself, where it packs them."""
        given = self.params
        if not self.product.is_binary:
            return given
        return replace(given, correction=(given.correction - self.codes[0].size).astype(np.int32))

    @property
    def device_product(self) -> str:
        """The device's name of the product; raises NotIntegerError where it has none."""
        return device_product(self.product, self.levels)


def lower(layer: Layer, weights: QTensor, ends: Ends, *, counts: bool = True) -> Lowered:
    """Return the integer form of a layer, as a dense window.

    Args:
        layer: the layer.
        weights: its codes.
        ends: how its input and output are kept.
        counts: see `products.counts_bits`.

    Raises:
        NotIntegerError: it has none; the message is the reason.
    """
    numbers = numbers_of(layer, weights)
    product, values = product_for(numbers, ends.lhs.high, counts=counts)
    codes = numbers.codes if values is None else np.searchsorted(values, numbers.codes).astype(np.int16)
    return _lowered(layer, numbers, ends, product, codes, values)


def lower_bytes(layer: Layer, weights: QTensor, ends: Ends) -> Lowered:
    """Return the form of a layer as a product of bytes that owes no correction: lhs codes count from their zero point.

    Raises:
        NotIntegerError: it has no integer form, or its activations are bits.
    """
    numbers = numbers_of(layer, weights)
    found = _lowered(layer, numbers, ends, U8_S8, numbers.codes, None)
    return replace(found, params=replace(found.params, correction=np.zeros_like(found.params.correction)))


def lower_depthwise(layer: Layer, weights: QTensor, ends: Ends) -> Lowered | None:
    """Return the form in which each channel has a window of its own, or None where a layer must run as a dense one.

    That is with a zero point of the weights, scales in groups, a residual, or float32 results.
    """
    if not isinstance(layer, Conv) or not has_own_windows(layer) or ends.out is None or ends.residual is not None:
        return None
    numbers = numbers_alone(layer, weights)
    if numbers is None:
        return None
    params = channel_params(layer, numbers, ends, U8_S8)
    words = Words(floor=ends.out.floor)
    return Lowered(U8_S8, words, numbers.codes, None, params, groups=len(numbers.codes))


def lower_floats(layer: Layer, weights: QTensor, ends: Ends) -> Lowered:
    """Return a layer of float32 activations, which mean `ends.lhs.scale` times what they are, with weights as codes.

    Raises:
        NotIntegerError: the weights have no whole codes.
    """
    numbers = numbers_of(layer, weights)
    return _lowered(layer, numbers, ends, float_product(numbers), numbers.codes, None)


def _lowered(
    layer: Layer, numbers: Numbers, ends: Ends, product: Product, codes: npt.NDArray[Any], values: Levels | None
) -> Lowered:
    params = channel_params(layer, numbers, ends, product)
    words = Words(
        residual=ends.residual is not None, grouped=numbers.is_grouped,
        floor=ends.out is not None and ends.out.floor, sum=params.shift is not None,
    )  # fmt: skip
    return Lowered(product, words, codes, values, params)
