"""What a product and its epilogue are, as one number: how portable loops are told."""

from __future__ import annotations

from qbench.kernels.epilogue import Epilogue
from qbench.kernels.product import Product

FLAGS = {"residual": 1, "sum": 2, "floor": 4, "s32": 8, "trits": 16, "u8": 32, "unscaled": 64, "signed": 128}
PLANES = 256
"""From here on the flags hold the bit planes: rhs planes, then 16 times the lhs planes."""


def flags_of(product: Product, epilogue: Epilogue) -> int:
    """Return the `flags` of a product and an epilogue."""
    words = epilogue.words
    found = {
        "residual": words.residual, "sum": words.sum, "floor": words.floor, "s32": epilogue.kind == "s32",
        "u8": epilogue.kind == "u8", "trits": product.is_ternary, "signed": product.is_signed,
        "unscaled": product.is_float and product.rhs.kind == "f",
    }  # fmt: skip
    flags = sum(FLAGS[name] for name, holds in found.items() if holds)
    return flags + PLANES * (product.rhs_planes + 16 * product.lhs_planes)
