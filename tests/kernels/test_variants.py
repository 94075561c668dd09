"""Every operation x variant x odd shape x worst-case value equals its reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbench.kernels import FAMILIES, variants
from qbench.kernels.check import Check
from qbench.kernels.conv.check import Case, Shape, case_of, check_case
from qbench.kernels.conv.reference import Window
from qbench.kernels.gemm.check import PRODUCTS, check_gemm
from qbench.kernels.gemm.operation import Gemm
from qbench.kernels.gemm.reference import gemm_s32

EVERY = [
    pytest.param(operation, variant, id=f"{name}-{label}-{variant}")
    for name in FAMILIES
    for label, operation in FAMILIES.load(name).operations.items()
    for variant in FAMILIES.load(name).variants
]
ODD = (1, 2, 3, 7, 8, 15, 16, 17, 31, 63, 64, 65, 127, 129)


@pytest.mark.parametrize(("check", "variant"), EVERY)
def test_an_operation_equals_its_reference(check: Check, variant: str) -> None:
    reason = variants.unavailable(variant)
    if reason is not None:
        pytest.skip(reason)
    cases, detail = check(variant)
    assert cases > 0
    assert detail == ""


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_product_is_exact_at_every_odd_size(product: str) -> None:
    depth = [k for k in ODD if product != "u8_t1" or k % 8 == 0]
    sizes = tuple((m, k, n) for i, m in enumerate(ODD) for k, n in [(depth[i % len(depth)], ODD[-1 - i])])
    assert check_gemm(product, variants.choose(), sizes) == (len(sizes) * 3, "")


def test_the_longest_depth_does_not_overflow() -> None:
    depth = 65_792
    lhs = np.full((2, depth), 255, np.uint8)
    rhs = np.full((3, depth), -128, np.int16)
    assert np.array_equal(Gemm(rhs).run(lhs), gemm_s32(lhs, rhs))


def _windows() -> st.SearchStrategy[Window]:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    return st.builds(Window, kernel=pair, strides=pair, pads=st.tuples(*[st.integers(0, 3)] * 4), dilations=pair)


@pytest.mark.parametrize(
    "case", [case_of("u8_s8", "u8+residual"), case_of("u8_s4", "u8"), case_of("b1_b1", "u8")], ids=str
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(window=_windows(), size=st.tuples(*[st.integers(1, 9)] * 2), channels=st.integers(1, 40), out=st.integers(1, 40))
def test_any_convolution_is_exact(case: Case, window: Window, size: tuple[int, int], channels: int, out: int) -> None:
    if min(window.out(*size)) < 1:
        return
    shape = Shape(2, *size, channels, out, window)
    assert check_case(case, variants.choose(), (shape,))[1] == ""
