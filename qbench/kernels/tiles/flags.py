"""What a product and its epilogue are, as one number: how portable loops are told."""

from __future__ import annotations

FLAGS = {"residual": 1, "sum": 2, "floor": 4, "s32": 8, "trits": 16, "u8": 32, "unscaled": 64, "signed": 128}
PLANES = 256
"""From here on the flags hold the bit planes: rhs planes, then 16 times the lhs planes."""


def flags_of(product: str, epilogue: str) -> int:
    """Return the `flags` of a product and an epilogue."""
    kind, *words = epilogue.split("+")
    lhs, rhs = product.split("_")
    flags = sum(FLAGS[word] for word in (kind, *words) if word in FLAGS)
    flags |= FLAGS["trits"] if product == "t2_t2" else 0
    flags |= FLAGS["unscaled"] if product == "f32_f32" else 0
    flags |= FLAGS["signed"] if lhs == "s8" else 0
    return flags | (PLANES * (int(rhs[1:]) + 16 * int(lhs[1:])) if lhs[0] == "p" else 0)
