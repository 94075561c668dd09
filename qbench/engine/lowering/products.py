"""Which product computes a layer's codes: by what the codes are, what the lhs can hold, and where kernels run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.core.formats import Binary, Codebook, PowerOfTwo, Ternary
from qbench.engine.lowering.numbers import NotIntegerError, Numbers
from qbench.kernels.product import B1_B1, T2_T2, U8_S8, Product, parse_product
from qbench.kernels.variants import dot_of

Levels = npt.NDArray[np.int8]
S8_BITS = 8
TABLE_LEVELS = 16
MOST_PLANES = 4
"""Bits of weights times bits of activations up to which bit planes beat int8 (1.28 times at 2 by 2)."""
_DEVICE_LEVELS = ((-2, 1, "u8_t2"), (-8, 7, "u8_t4"))
"""Lowest and highest code, and the device's packed product that holds them."""


def counts_bits(variant: str) -> bool:
    """Return whether a kernel variant counts bits in planes sooner than it multiplies bytes of few bits.

    Not where no instruction counts, and one multiplies weights of few bits in pairs: 2 bits by 2 run 1.3 to 1.7 times
    as fast as bytes there, ternary by ternary as fast, and nothing has to be packed.
    """
    return dot_of(variant) != "pairs"


def product_for(numbers: Numbers, lhs_high: int, *, counts: bool = True) -> tuple[Product, Levels | None]:
    """Return the product for weights, and the levels of a table product.

    Args:
        numbers: the weights.
        lhs_high: the highest lhs code: 1 marks binary activations, 2 ternary ones.
        counts: whether bits are counted sooner than bytes of few bits are multiplied (see `counts_bits`).
    """
    kind, span, groups, sums = numbers.kind, numbers.span, numbers.k_groups, numbers.sums
    if isinstance(kind, Binary) and lhs_high == 1:
        return B1_B1, None
    if counts and isinstance(kind, Ternary | Binary) and lhs_high == 2:
        return T2_T2, None
    channels_in, bits = numbers.codes.shape[3], bits_of_codes(numbers)
    planes = bits * lhs_high.bit_length()
    if counts and planes <= MOST_PLANES and channels_in % 32 == 0 and span == groups and not sums:
        return parse_product(f"p{lhs_high.bit_length()}_p{bits}"), None
    if isinstance(kind, Binary) and span == groups and not sums and channels_in % 4 == 0 and (-groups % 8) % 2 == 0:
        return parse_product("u8_t1"), np.array([-1, 1], np.int8)
    if isinstance(kind, PowerOfTwo | Codebook) and _whole(2, span, groups, sums=sums):
        levels = np.union1d(numbers.codes, [0]).astype(np.int8)
        if len(levels) <= TABLE_LEVELS:
            return parse_product("u8_t4"), levels
    for width in range(bits, S8_BITS):
        if _whole(8 // (width & -width), span, groups, sums=sums):
            return parse_product(f"u8_s{width}"), None
    return U8_S8, None


def float_product(numbers: Numbers) -> Product:
    """Return the product of float32 activations by codes, of the least width that fills 32 bits."""
    bits = bits_of_codes(numbers)
    return parse_product(f"f32_s{next(width for width in (1, 2, 4, 8) if width >= bits)}")


def device_product(product: Product, codes: npt.NDArray[np.integer]) -> str:
    """Return the device's name of a product of these levels: packed kernels there hold two's complement."""
    if product in (B1_B1, T2_T2, U8_S8):
        return str(product)
    if product.is_float:
        if codes.min() < -8 or codes.max() > 7:
            raise NotIntegerError(f"no product of the device multiplies float16 by codes of {product.rhs}")
        return "f16_s4"
    if np.array_equal(np.unique(codes), (-1, 1)):
        return "u8_t1"
    return next((name for low, high, name in _DEVICE_LEVELS if low <= codes.min() and codes.max() <= high), "u8_s8")


def bits_of_codes(numbers: Numbers) -> int:
    """Return the bits of two's complement that hold all codes."""
    if isinstance(numbers.kind, Ternary | Binary):
        return 2
    low, high = int(numbers.codes.min(initial=0)), int(numbers.codes.max(initial=0))
    return max((-low - 1).bit_length(), high.bit_length()) + 1


def _whole(planes: int, span: int, groups: int, *, sums: bool) -> bool:
    """Whether packed sets of `planes` k-groups end where scales do, and the depth where sums are taken."""
    return not ((span < groups and span % planes) or (sums and groups % planes))
