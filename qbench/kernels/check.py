"""Every kernel against its reference, on random and on worst-case values, at odd shapes, with guards around every buffer.

`qbench verify` prints these rows, the runner asks them before it times anything, and the tests iterate them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from qbench.kernels import variants
from qbench.kernels.conv.check import CASES as CONV_CASES
from qbench.kernels.conv.check import check_case
from qbench.kernels.elementwise.check import check_add, check_table
from qbench.kernels.gemm.check import PRODUCTS, check_gemm
from qbench.kernels.pack.check import check_pack
from qbench.kernels.pool.check import check_global_average
from qbench.kernels.quantize.check import check_fake, check_levels, check_quantize

Status = Literal["ok", "mismatch", "not on this machine"]
FAMILIES = ("gemm", "conv", "quantize", "elementwise", "pool", "pack")


@dataclass(frozen=True, slots=True)
class VerifyRow:
    """One operation of one variant: how many cases ran, and the first that failed."""

    family: str
    operation: str
    variant: str
    cases: int
    status: Status
    detail: str = ""


def verify(family: str | None = None) -> Iterator[VerifyRow]:
    """Yield a row for every operation and variant of a family, or of all."""
    if family in (None, "gemm"):
        for product in PRODUCTS:
            yield from _tiled_rows("gemm", f"gemm_{product}_s32", lambda name, p=product: check_gemm(p, name))
    if family in (None, "conv"):
        for case in CONV_CASES:
            yield from _tiled_rows("conv", case.operation, lambda name, c=case: check_case(c, name))
    plain: dict[str, dict[str, Callable[[], tuple[int, str]]]] = {
        "quantize": {"quantize_f32_u8": check_quantize, "fake_quantize_f32": check_fake, "fake_quantize_levels_f32": check_levels},
        "elementwise": {"add_u8_u8_u8": check_add, "table_u8_u8": check_table},
        "pool": {"global_average_u8_u8": check_global_average},
        "pack": {"pack_u8_b1": lambda: check_pack("b1"), "pack_u8_t2": lambda: check_pack("t2")},
    }
    for name, operations in plain.items():
        if family in (None, name):
            for operation, check in operations.items():
                cases, detail = check()
                yield VerifyRow(name, operation, "portable", cases, "mismatch" if detail else "ok", detail)


def _tiled_rows(family: str, operation: str, check: Callable[[str], tuple[int, str]]) -> Iterator[VerifyRow]:
    for variant in variants.NAMES:
        reason = variants.unavailable(variant)
        if reason is not None:
            yield VerifyRow(family, operation, variant, 0, "not on this machine", reason)
            continue
        cases, detail = check(variant)
        yield VerifyRow(family, operation, variant, cases, "mismatch" if detail else "ok", detail)
