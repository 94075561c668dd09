"""The law of packing codes into bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.product import Product
from qbench.kernels.tiles.operands import bits_of


def pack_u8_b1(a: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return words of 32 channels from codes 0 and 1, shape (pixels, channels)."""
    return bits_of(a == 1)


def pack_u8_t2(a: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return (non-zero, negative) words, interleaved, from codes 0, 1, 2 that stand for -1, 0, 1."""
    planes = np.stack([bits_of(a != 1), bits_of(a == 0)], axis=-1)
    return planes.reshape(len(a), -1)


def pack_u8_planes(a: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint32]:
    """Return a word per bit plane, lowest bits first, interleaved, from codes of `bits` bits, (pixels, channels)."""
    planes = np.stack([bits_of((a >> np.uint8(bit)) & 1 > 0) for bit in range(bits)], axis=-1)
    return planes.reshape(len(a), -1)


def pack_words(product: Product, a: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return the words that a product of bits reads, from codes in their container, (pixels, channels)."""
    if product.lhs_planes:
        return pack_u8_planes(a, product.lhs_planes)
    return (pack_u8_b1 if product.is_binary else pack_u8_t2)(a)


def unpack_b1_u8(bits: npt.NDArray[np.uint32], channels: int) -> npt.NDArray[np.uint8]:
    """Return codes 0 and 1, shape (pixels, channels)."""
    planes = (bits[:, :, None] >> np.arange(32, dtype=np.uint32)) & 1
    return planes.reshape(len(bits), -1)[:, :channels].astype(np.uint8)


def unpack_t2_u8(bits: npt.NDArray[np.uint32], channels: int) -> npt.NDArray[np.uint8]:
    """Return codes 0, 1, 2 that stand for -1, 0, 1 from (non-zero, negative) words."""
    present, negative = (unpack_b1_u8(bits[:, plane::2], channels) for plane in (0, 1))
    return np.where(negative == 1, 0, 1 + present).astype(np.uint8)
