"""The law of packing codes into bits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.kernels.tiles.operands import bits_of


def pack_u8_b1(a: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return words of 32 channels from codes 0 and 1, shape (pixels, channels)."""
    return bits_of(a == 1)


def pack_u8_t2(a: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return (non-zero, negative) words, interleaved, from codes 0, 1, 2 that stand for -1, 0, 1."""
    planes = np.stack([bits_of(a != 1), bits_of(a == 0)], axis=-1)
    return planes.reshape(len(a), -1)


def pack_u8_planes(a: npt.NDArray[np.uint8], bits: int) -> npt.NDArray[np.uint32]:
    """Return a word a bit plane, lowest bits first, interleaved, from codes of `bits` bits, (pixels, channels)."""
    planes = np.stack([bits_of((a >> np.uint8(bit)) & 1 > 0) for bit in range(bits)], axis=-1)
    return planes.reshape(len(a), -1)
