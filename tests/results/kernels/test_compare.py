"""Two runs of kernels: a change is told apart from a drift of the machine, and the exit code follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from qbench.cli import root
from qbench.core.cells.memory import MemoryCell, MemoryProblem
from qbench.core.cells.product import GemmProblem, KernelCell
from qbench.core.cells.result import CEILING, STREAMS, KernelResult, KernelTrial, PartyRow
from qbench.core.trial import Measurement
from qbench.results import KernelRun, MachineFacts, RunHeader, RunWriter, SuiteFacts, compare_runs, read_run
from tests.results.conftest import with_changes

RNG = np.random.default_rng(3)
GEMM = KernelTrial("gemm", (), 1, KernelCell(GemmProblem(4, 8, 16), "w8c-a8t", "s32"), peers=("litert", "openvino"))
ADD = KernelTrial("memory", (), 1, MemoryCell(MemoryProblem("add", 1, 4, 4, 64)))
Made = Callable[..., KernelRun]


def times(median_s: float) -> tuple[float, ...]:
    return tuple(median_s * np.exp(0.01 * RNG.standard_normal(41)))


def row(trial: KernelTrial, resident_bytes: int = 512, **times_s: float) -> KernelResult:
    names = {name: name.replace("_", " ") for name in times_s}
    timed = tuple(
        Measurement(trial.key, names[name], times(time_s), 1, 1, trial.cell.problem.operations)
        for name, time_s in times_s.items()
    )
    parties = tuple(PartyRow(name, resident_bytes=resident_bytes) for name in names.values())
    return KernelResult(
        trial, "h", "ok", operations=trial.cell.problem.operations, parties=parties, measurements=timed
    )  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> Made:
    def make(name: str, *rows: KernelResult, **changes: object) -> KernelRun:
        header = RunHeader(
            kind="kernels", qbench_version="0", suite=SuiteFacts(name="m"), created_utc="",
            machines={"one": MachineFacts()},
        )  # fmt: skip
        with RunWriter.create(tmp_path / name, with_changes(header, changes)) as writer:
            for one in rows:
                writer.append(one)
        return read_run(tmp_path / name)

    return make


@pytest.mark.parametrize(("own_s", "word"), [(1e-6, "SAME"), (0.8e-6, "FASTER"), (1.3e-6, "SLOWER")])
def test_a_cell_is_compared_against_the_library_it_took_turns_with(made: Made, own_s: float, word: str) -> None:
    before = made("a", row(GEMM, qbench=1e-6, litert=2e-6, openvino=3e-6))
    after = made("b", row(GEMM, qbench=1.5 * own_s, litert=3e-6, openvino=1e-6))  # the machine is half as fast again
    (found,) = (one for one in compare_runs(before, after).rows if one.kind == "time")
    assert (found.verdict, found.basis) == (word, "against litert")
    assert found.change == pytest.approx(1e-6 / own_s, rel=0.02)


def test_memory_operations_are_compared_against_the_loop_beside_them(made: Made) -> None:
    one = row(ADD, qbench=2e-6, qbench_bandwidth=3e-6, qbench_bandwidth_streaming=1e-6)
    assert [found.cell for found in one.measurements[1:]] == list(STREAMS)
    comparison = compare_runs(made("a", one), made("b", one))
    first = comparison.rows[0]
    assert (first.kind, first.verdict, first.basis) == ("time", "SAME", f"against {STREAMS[1]}")


def test_products_without_a_library_are_compared_against_the_loop_of_their_ceiling(made: Made) -> None:
    one = row(GEMM, qbench=2e-6, qbench_ceiling=1e-6)
    two = row(GEMM, qbench=2e-6, qbench_ceiling=1e-6, litert=3e-6)
    for name, found, basis in (("loop", one, f"against {CEILING}"), ("both", two, "against litert")):
        first = compare_runs(made(f"{name}-a", found), made(f"{name}-b", found)).rows[0]
        assert (first.kind, first.verdict, first.basis) == ("time", "SAME", basis)


def test_without_a_common_party_raw_times_are_compared_and_said_to_be(made: Made) -> None:
    comparison = compare_runs(made("a", row(GEMM, qbench=1e-6)), made("b", row(GEMM, qbench=2e-6)))
    assert [(one.verdict, one.basis) for one in comparison.rows if one.kind == "time"] == [("SLOWER", "raw times")]


def test_packed_weights_that_grow_and_cells_of_one_run_alone_are_told(made: Made) -> None:
    before = made("a", row(GEMM, qbench=1e-6), row(ADD, qbench=1e-6))
    after = made("b", row(GEMM, 1024, qbench=1e-6))
    comparison = compare_runs(before, after)
    assert [one.verdict for one in comparison.rows if one.kind == "size"] == ["LARGER"]
    assert (comparison.only_before, comparison.only_after) == ((ADD.key,), ())


def called(*words: object) -> Result:
    return CliRunner().invoke(root, ["compare", *map(str, words)], standalone_mode=False)


def test_the_command_ends_as_it_does_for_networks(made: Made) -> None:
    before, after = made("a", row(GEMM, qbench=1e-6)), made("b", row(GEMM, qbench=2e-6))
    shaken = made("c", replace(row(GEMM, qbench=1e-6)), unstable=True)
    found = called(before.folder, after.folder, "--fail-on", "slower")
    assert (found.return_value, "SLOWER" in found.output) == (1, True)
    assert called(before.folder, after.folder).return_value == 0
    assert called(before.folder, shaken.folder, "--fail-on", "slower").return_value == 3
    other = RunHeader(qbench_version="0", suite=SuiteFacts(name="m"), created_utc="")
    RunWriter.create(before.folder.parent / "network", other).close()
    assert "expected a run of kernels" in str(called(before.folder, before.folder.parent / "network").exception)
