"""The aarch64 variants: what LLVM makes of them, and, in an emulator, that they are exact."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from qbench.errors import MachineError
from qbench.kernels import jit
from qbench.kernels.conv import check, operation
from qbench.kernels.conv.check import CASES, Case, check_case
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.product import U8_S8
from qbench.kernels.tiles.listing import row_of, rows, shapes_of
from qbench.kernels.tiles.targets import target_of


@pytest.fixture(scope="module")
def backend() -> None:
    """Skip where LLVM was built without the architecture."""
    try:
        jit.compiled_for("aarch64-unknown-linux-gnu", frozenset({"neon"}), "define void @f() {\n ret void\n}")
    except MachineError as why:
        pytest.skip(str(why))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(("name", "dot"), [("aarch64_dotprod", "sdot"), ("aarch64_i8mm", "usdot")])
def test_the_dot_instruction_is_in_the_depth_loop_and_nothing_is_spilled(name: str, dot: str) -> None:
    for row in rows(target_of(name)):
        expected = {"b": "cnt", "t": "cnt", "p": "cnt", "f": "fmla"}.get(row.product[0], dot)
        assert (row.product, row.instruction, row.spills) == (row.product, expected, 0)
    (height, vectors, planes), plain = (6, 4, 1), Epilogue("u8")
    (shape,) = (s for s in shapes_of(target_of(name), U8_S8, plain) if (s.rows, s.vectors) == (height, vectors))
    row = row_of(target_of(name), U8_S8, plain, shape)
    assert row.dots == height * vectors * planes
    assert row.loads_a_dot <= 0.5


def _unknown(triple: str) -> str:
    with pytest.raises(MachineError) as refused:
        jit.compiled_for(triple, frozenset(), "")
    return str(refused.value)


def test_a_machine_that_llvm_does_not_know_is_refused_in_one_line() -> None:
    assert _unknown("abacus-unknown-none").startswith("no assembly for abacus-unknown-none: ")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.operation)
def test_an_operation_is_exact_in_an_emulator(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("unicorn", reason="unicorn, the emulator, is not installed")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    emulator = importlib.import_module("emulator")
    monkeypatch.setattr(operation, "tiled", emulator.Tiled)
    monkeypatch.setattr(check, "run_task", emulator.run_task)
    count, detail = check_case(case, "aarch64_dotprod")
    assert (count > 0, detail) == (True, "")
