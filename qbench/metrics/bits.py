"""A score per sample as text: kept in every row so that any two rows can be paired later.

Where a sample is right or wrong it takes a bit, else the four bytes of a float32.
"""

from __future__ import annotations

import base64
import binascii

import numpy as np
import numpy.typing as npt

from qbench.errors import ResultsError

Bools = npt.NDArray[np.bool_]


def pack_bits(values: npt.ArrayLike) -> str:
    """Return base64 of the bits of a 1-D bool array, eight an octet, the first in the highest place, the rest 0."""
    return base64.b64encode(np.packbits(np.asarray(values, dtype=np.bool_)).tobytes()).decode("ascii")


def unpack_bits(text: str, count: int) -> Bools:
    """Return the `count` bits that `pack_bits` wrote; raise ResultsError when the text does not hold just so many."""
    try:
        octets = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except (binascii.Error, ValueError) as error:
        raise ResultsError(f"packed bits: expected base64 of {count} bits, got text that is not base64") from error
    if octets.size != -(-count // 8):
        raise ResultsError(f"packed bits: expected {-(-count // 8)} bytes for {count} images, got {octets.size}")
    return np.unpackbits(octets, count=count).astype(np.bool_)


def pack_scores(values: npt.ArrayLike) -> str:
    """Return base64 of a 1-D array of numbers as little-endian float32."""
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode("ascii")


def unpack_scores(text: str, count: int) -> npt.NDArray[np.float64]:
    """Return the `count` numbers that `pack_scores` wrote; raise ResultsError when there are not just so many."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ResultsError(f"scores: expected base64 of {count} numbers, got text that is not base64") from error
    if len(octets) != 4 * count:
        raise ResultsError(f"scores: expected {4 * count} bytes for {count} samples, got {len(octets)}")
    return np.frombuffer(octets, dtype="<f4").astype(np.float64)
