"""10,000 random cases, on every instruction path of this machine: no mismatch, no guard byte touched."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from qbench.kernels import FAMILIES, variants
from qbench.kernels.check import Check
from qbench.kernels.conv.check import Case, Shape, case_of, check_case
from qbench.kernels.conv.reference import Window
from qbench.kernels.depthwise.check import check_depthwise
from qbench.kernels.depthwise.operation import variants_of
from qbench.kernels.elementwise import check as elementwise_check
from qbench.kernels.elementwise import check_channels
from qbench.kernels.gemm.check import PRODUCTS, check_gemm
from qbench.kernels.pack import check as pack_check
from qbench.kernels.pool import check as pool_check
from qbench.kernels.quantize import check as quantize_check
from qbench.kernels.winograd.check import check_winograd
from qbench.kernels.winograd.transforms import OUT
from qbench.kernels.winograd.way import VARIANTS

PATHS = [name for name in variants.NAMES if variants.unavailable(name) is None]
CASES = (
    case_of("u8_s8", "u8+residual"), case_of("u8_s8", "u8+fixed"), case_of("u8_s4", "u8"), case_of("u8_s2", "s32"),
    case_of("s8_s8", "u8"), case_of("b1_b1", "u8"), case_of("t2_t2", "s32"), case_of("p2_p2", "s32"),
)  # fmt: skip
SIZED: tuple[tuple[str, ModuleType, str], ...] = (
    ("pool", pool_check, "SIZES"), ("quantize", quantize_check, "SHAPES"), ("pack", pack_check, "SIZES"),
    ("elementwise", elementwise_check, "SIZES"), ("elementwise", check_channels, "SIZES"),
)  # fmt: skip
"""Families whose checks go over a module's sizes."""
LAYERS = [
    pytest.param(operation, module, name, id=f"{family}-{label}")
    for family, module, name in SIZED
    for label, operation in FAMILIES.load(family).operations.items()
    if getattr(operation, "func", operation).__module__ == module.__name__
]
slow = pytest.mark.slow
many = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


def windows(longest: int = 3) -> st.SearchStrategy[Window]:
    pair = st.tuples(st.integers(1, longest), st.integers(1, longest))
    return st.builds(Window, kernel=pair, strides=pair, pads=st.tuples(*[st.integers(0, 3)] * 4), dilations=pair)


@slow
@settings(many, max_examples=5_000)
@given(
    variant=st.sampled_from(PATHS),
    case=st.sampled_from(CASES),
    window=windows(),
    size=st.tuples(st.integers(1, 2), *[st.integers(1, 9)] * 2, *[st.integers(1, 70)] * 2),
)
def test_five_thousand_random_convolutions_are_exact(
    variant: str, case: Case, window: Window, size: tuple[int, int, int, int, int]
) -> None:
    assume(min(window.out(*size[1:3])) > 0)
    assert check_case(case, variant, (Shape(*size, window),))[1] == ""


@slow
@settings(many, max_examples=2_000)
@given(
    variant=st.sampled_from([name for name in VARIANTS if name in PATHS]),
    case=st.sampled_from((case_of("u8_s8", "u8+residual"), case_of("u8_s4", "u8"), case_of("s8_s8", "s32"))),
    pads=st.tuples(*[st.integers(0, 3)] * 4),
    size=st.tuples(st.integers(1, 3), *[st.integers(4, 15)] * 2, st.integers(5, 110), st.integers(1, 70)),
)
def test_two_thousand_random_winograd_convolutions_are_exact(
    variant: str, case: Case, pads: tuple[int, int, int, int], size: tuple[int, int, int, int, int]
) -> None:
    shape = Shape(*size, Window((3, 3), pads=pads))
    assume(min(shape.window.out(*size[1:3])) >= OUT)
    assert check_winograd(case, variant, (shape,))[1] == ""


@slow
@settings(many, max_examples=3_000)
@given(
    variant=st.sampled_from(PATHS),
    product=st.sampled_from([product for product in PRODUCTS if not product.endswith("_t1")]),
    size=st.tuples(st.integers(1, 70), st.integers(1, 300), st.integers(1, 70)),
)
def test_three_thousand_random_products_are_exact(variant: str, product: str, size: tuple[int, int, int]) -> None:
    assert check_gemm(product, variant, (size,))[1] == ""


@slow
@settings(many, max_examples=1_000)
@given(
    variant=st.sampled_from([name for name in variants_of() if name in PATHS]),
    window=st.builds(
        Window,
        kernel=st.sampled_from([(3, 3), (5, 5), (2, 3)]),
        strides=st.tuples(st.integers(1, 3), st.integers(1, 2)),
        pads=st.tuples(*[st.integers(0, 3)] * 4),
        dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    ),
    size=st.tuples(st.integers(1, 2), *[st.integers(1, 9)] * 2, st.integers(1, 200)),
)
def test_a_thousand_random_depthwise_convolutions_are_exact(
    variant: str, window: Window, size: tuple[int, int, int, int]
) -> None:
    assume(min(window.out(*size[1:3])) > 0)
    assert check_depthwise(variant, ((size, window),))[1] == ""


@slow
@pytest.mark.parametrize(("operation", "module", "name"), LAYERS)
@settings(many, max_examples=100)
@given(size=st.tuples(st.integers(1, 3), *[st.integers(1, 20)] * 2, st.integers(1, 140)))
def test_random_sizes_of_every_other_operation_are_exact(
    operation: Check, module: ModuleType, name: str, size: tuple[int, int, int, int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, ((size[0] * size[1], size[3]) if module is pack_check else size,))
        assert operation(variants.PORTABLE)[1] == ""
