"""What one matrix instruction multiplies, and how the bits of packed weights become its operands.

An instruction takes 32 bytes of each lhs row. A word of the packed rhs holds `planes` of the instruction's words:
plane p of codes of `bits` bits is the codes at bit p * bits of each byte. Bytes keep the code in their highest bits, so
that no sign extension is needed: products are 2**shift times too large, which the epilogue takes back, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Product:
    """One kind of product.

    Args:
        name: as in `qbench.kernels.tiles`: `u8_s8`, `u8_t4`, `u8_t2`, `u8_t1`, `b1_b1`; `f16_s4` here alone.
        mma: the instruction, a key of `instructions.MMA`.
        planes: instruction words in a packed word.
        shift: bits that sums are shifted down by.
        is_float: whether sums are float32.
    """

    name: str
    mma: str
    planes: int = 1
    shift: int = 0
    is_float: bool = False

    @property
    def codes_a_step(self) -> int:
        """Codes of the depth that one instruction takes."""
        return {"b1": 256, "f16": 16}.get(self.mma, 32)

    def unpack(self, ops: Any, word: Any, plane: int) -> Any:
        """Return the instruction's word `plane` of a packed word."""
        bits = 8 // self.planes
        if self.planes == 1:
            return word
        if self.is_float:
            nibbles = ops.binary("and", ops.binary("ushr", word, ops.constant(4 * plane)), ops.constant(0x000F000F))
            return ops.half_subtract(ops.binary("or", nibbles, ops.constant(0x64006400)), ops.constant(0x64086408))
        moved = ops.binary("shl", word, ops.constant(8 - bits * (plane + 1)))
        mask = (0xFF << (8 - bits)) & 0xFF
        kept = ops.binary("and", moved, ops.constant(_four(mask)))
        return ops.binary("xor", kept, ops.constant(_four(0x40))) if self.name == "u8_t1" else kept


def _four(byte: int) -> int:
    """Return the signed word of four equal bytes."""
    word = byte * 0x01010101
    return word - 2**32 if word >= 2**31 else word


PRODUCTS = {
    product.name: product
    for product in (
        Product("u8_s8", "u8s8"),
        Product("u8_t4", "u8s8", planes=2, shift=4),
        Product("u8_t2", "u8s8", planes=4, shift=6),
        Product("u8_t1", "u8s8", planes=8, shift=6),
        Product("b1_b1", "b1"),
        Product("f16_s4", "f16", planes=4, is_float=True),
    )
}

LEVELS = {"u8_t4": tuple(range(-8, 8)), "u8_t2": (-1, 0, 1), "u8_t1": (-1, 1), "f16_s4": tuple(range(-8, 8))}
"""The levels that packed codes stand for; other tables of levels run as `u8_s8`, expanded to bytes."""


def fields_of(codes: npt.NDArray[np.int16], product: str) -> Bytes:
    """Return the bits that stand for each code: two's complement, 1 for -1 of `u8_t1`, an offset of 8 for `f16_s4`."""
    if product == "u8_t1":
        return (codes < 0).astype(np.uint8)
    if product == "f16_s4":
        return (codes + 8).astype(np.uint8)
    bits = 8 // PRODUCTS[product].planes
    return (codes.astype(np.int16) & ((1 << bits) - 1)).astype(np.uint8)


def pack_rows(codes: npt.NDArray[np.int16], product: str) -> Bytes:
    """Return packed rows of codes (n, k); k is a whole number of packed words' depths, see `codes_a_word_row`."""
    facts = PRODUCTS[product]
    if facts.planes == 1:
        return np.ascontiguousarray(codes.astype(np.int8)).view(np.uint8)
    fields, bits = fields_of(codes, product), 8 // facts.planes
    if facts.is_float:  # (n, chunk, plane = step and register, quad, half): two nibbles of the quad's word
        split = fields.reshape(len(fields), -1, 4, 4, 2).transpose(0, 1, 3, 4, 2).astype(np.uint32)
        shifts = 4 * np.arange(4, dtype=np.uint32)[None, :] + 16 * np.arange(2, dtype=np.uint32)[:, None]
        words = np.bitwise_or.reduce(np.bitwise_or.reduce(split << shifts, axis=-1), axis=-1)
        return np.ascontiguousarray(words.astype(np.uint32)).view(np.uint8).reshape(len(fields), -1)
    planes = fields.reshape(len(fields), -1, facts.planes, 16)
    shifts8 = (bits * np.arange(facts.planes, dtype=np.uint8))[:, None]
    packed: Bytes = np.bitwise_or.reduce(planes << shifts8, axis=2).reshape(len(fields), -1)
    return packed
