"""Codes at their width: every code of b bits takes b bits of a stream, the lowest bit first, only the end is padded.

A code is counted from its format's lowest, so that it is never negative: a signed 4-bit code -8..7 becomes 0..15,
ternary -1, 0, 1 becomes 0, 1, 2, binary -1, 1 becomes 0, 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, NumberFormat, Ternary, Uniform

Codes = npt.NDArray[np.int16]
Bytes = npt.NDArray[np.uint8]

_LOW_OF_PAIRS = np.uint8(0b01010101)
_PIECE = 1 << 20  # codes unfolded to bits at a time, a multiple of 8: bounds the temporaries to 8 MB


def packed_size(count: int, number_format: NumberFormat) -> int:
    """Return the bytes that `count` codes take."""
    return -(-count * number_format.bits // 8)


def pack_codes(codes: Codes, number_format: NumberFormat) -> Bytes:
    """Return the stream of `codes` (any shape, row-major) as uint8.

    Raises:
        ValueError: a code is outside its format.
    """
    places = _places(codes.reshape(-1), number_format)
    bits = number_format.bits
    if places.size and not 0 <= int(places.min()) <= int(places.max()) < 2**bits:
        raise ValueError(f"codes {places.min()}..{places.max()} do not fit {bits} bits")
    whole = places.astype(np.uint8)
    if bits == 8:
        return whole
    pieces = [_bits(whole[start : start + _PIECE], bits) for start in range(0, whole.size, _PIECE)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.uint8)


def check_stream(stream: Bytes, shape: tuple[int, ...], number_format: NumberFormat) -> None:
    """Raise ValueError where a stream has not the length of so many codes, or holds one that the format lacks."""
    bits, count = number_format.bits, int(np.prod(shape, dtype=np.int64))
    expected = packed_size(count, number_format)
    if stream.size != expected:
        raise ValueError(f"expected {expected} bytes for {count} codes of {bits} bits, got {stream.size}")
    if isinstance(number_format, Ternary) and np.any(stream & (stream >> 1) & _LOW_OF_PAIRS):
        raise ValueError("a ternary code is 0, 1 or 2, got 3")


def unpack_codes(stream: Bytes, shape: tuple[int, ...], number_format: NumberFormat) -> Codes:
    """Return the int16 codes that `pack_codes` wrote; raise ValueError as `check_stream` does."""
    check_stream(stream, shape, number_format)
    bits, count = number_format.bits, int(np.prod(shape, dtype=np.int64))
    if bits == 8:
        places = stream.astype(np.int16)
    else:
        places = np.empty(count, np.int16)
        for start in range(0, count, _PIECE):
            stop = min(count, start + _PIECE)
            part = stream[start * bits // 8 : packed_size(stop, number_format)]
            unfolded = np.unpackbits(part, count=(stop - start) * bits, bitorder="little").reshape(-1, bits)
            places[start:stop] = unfolded @ (1 << np.arange(bits, dtype=np.int16))
    if isinstance(number_format, Binary):
        places *= 2
        places -= 1
    else:
        places += _lowest(number_format)
    return places.reshape(shape)


def _places(codes: Codes, number_format: NumberFormat) -> Codes:
    """Return codes counted from the lowest."""
    if isinstance(number_format, Binary):
        return ((codes + 1) // 2).astype(np.int16)
    return (codes - _lowest(number_format)).astype(np.int16)


def _lowest(number_format: NumberFormat) -> int:
    if isinstance(number_format, Uniform):  # narrow or not: one origin for a width, so that streams are alike
        return -(1 << (number_format.bits - 1)) if number_format.signed else 0
    return -1 if isinstance(number_format, Ternary) else 0


def _bits(places: Bytes, bits: int) -> Bytes:
    unfolded = (places[:, None] >> np.arange(bits, dtype=np.uint8)) & 1
    return np.packbits(unfolded.reshape(-1), bitorder="little")
