"""Every kernel compiles without a GPU, holds the instruction it is there for, and spills nothing."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")

from qbench.errors import MachineError
from qbench.kernels.cuda.checks.listing import Listed, catalogue, row_of
from qbench.kernels.cuda.language.compile import PTX_VERSION, ptx
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.layers import quantize_kernel
from qbench.kernels.cuda.multiply.hopper_kernel import hopper_kernel, hopper_shape
from qbench.kernels.cuda.multiply.tile_kernel import tile_kernel

pytestmark = pytest.mark.xdist_group("ptx")
"""With the table of `tests.cli.test_cuda`: a process compiles each kernel once, and the listing is half a minute."""
LISTED = [
    pytest.param(listed, capability, id=f"{listed.kernel.name}-{listed.words}-sm{capability}")
    for listed in catalogue()
    for capability in (80, 90)
    if listed.kernel.needs <= capability
]


@pytest.mark.parametrize(("listed", "capability"), LISTED)
def test_a_kernel_holds_its_instruction_and_no_local_memory(listed: Listed, capability: int) -> None:
    row = row_of(listed, capability)
    assert row.count > 0
    assert not row.has_local_memory
    if row.spilled_bytes is None:
        pytest.skip("ptxas is not installed: registers and spills were not looked at")
    assert row.spilled_bytes == 0
    assert row.registers is not None
    assert row.registers * listed.kernel.threads <= 65_536


def test_products_of_a_stage_are_unrolled() -> None:
    shape = TileShape(2, 2, 4, 8, 64, 4)
    text = ptx(tile_kernel("u8_s8", "s32", shape), 90).text
    assert text.count("mma.sync") == shape.mi * shape.nj * shape.depth_bytes // 32


def test_wgmma_is_compiled_for_its_architecture_alone() -> None:
    found = ptx(hopper_kernel("u8_s8", "s32", hopper_shape(1, 64, 6)), 90)
    assert found.target == "sm_90a"
    assert re.search(r"^\.target sm_90a$", found.text, flags=re.M)
    assert re.search(rf"^\.version {re.escape(PTX_VERSION)}$", found.text, flags=re.M)
    assert re.search(rf"^\.visible \.entry {found.entry}\(", found.text, flags=re.M)


def test_a_kernel_refuses_a_device_that_is_too_old() -> None:
    with pytest.raises(MachineError, match=r"needs compute capability 9.0, got 8.0"):
        ptx(hopper_kernel("u8_s8", "s32", hopper_shape(1, 64, 6)), 80)


def test_floats_are_fused_where_the_law_says_and_nowhere_else() -> None:
    text = ptx(tile_kernel("u8_t4", "u8+residual+grouped", TileShape(2, 2, 4, 4, 128, 3), group_steps=4), 90).text
    assert "fma.rn.f32" in text
    rest = re.sub(r"add\.rn\.f32 .*0f4B400000;", "", text)  # rounding to whole numbers
    assert not re.search(r"\bmul\.(rn\.)?f32|\badd\.(rn\.)?f32", rest)
    apart = ptx(quantize_kernel(floor=False), 90).text
    assert not re.search(r"\bfma\.|\bmad\.", apart)
    assert "mul.rn.f32" in apart
