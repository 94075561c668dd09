"""Runs of kernels: rows survive writing and reading, and what is said of them follows from the raw times."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, Problem
from qbench.core.cells.result import KernelResult, KernelTrial, PartyRow
from qbench.core.trial import Measurement
from qbench.errors import ResultsError
from qbench.results import MachineFacts, Run, RunHeader, RunState, RunWriter, SuiteFacts, read_run, write_tables
from qbench.results.header import KernelBar
from qbench.results.kernels.index import ceiling_share, judged, kernel_frame, mean_against, ratio_to, scaling
from qbench.results.kernels.tables import kernel_markdown
from tests.results.conftest import with_changes

GEMM, CONV = GemmProblem(4, 8, 16), ConvProblem(2, 5, 5, 8, 8, (3, 3), (1, 1), (1, 1, 1, 1))


def kernel_row(problem: Problem = GEMM, *, threads: int = 1, **times_s: float) -> KernelResult:
    """A row whose parties take constant times; a party named `own8` is qbench at w8c-a8t."""
    cell = KernelCell(problem, "w4c-a8t", "f32", threads)
    names = {name: {"own8": "qbench w8c-a8t"}.get(name, name) for name in times_s}
    peers = tuple(name for name in times_s if name not in ("qbench", "own8"))
    trial = KernelTrial("sweep", ("resnet50",), 1, cell, peers=peers, own=("w8c-a8t",))
    timed = tuple(
        Measurement(trial.key, names[name], (time_s,) * 8, 3, 1, problem.operations, threads, "precise")
        for name, time_s in times_s.items()
    )
    parties = tuple(PartyRow(names[name], kernel="k", packed="once") for name in times_s)
    return KernelResult(
        trial, "hash", "ok", operations=problem.operations, moved_bytes=100, bound="int8_gops_1", bound_s=1e-6,
        parties=(*parties, PartyRow("absent", "absent: not here")), measurements=timed,
    )  # fmt: skip


def kernel_header(**changes: object) -> RunHeader:
    plain = RunHeader(
        kind="kernels", qbench_version="0.1.0", suite=SuiteFacts(name="mini", text="name: mini\n", sha256="0" * 64),
        created_utc="2026-01-02T03:04:05Z", state=RunState(finished=True),
        machines={"one": MachineFacts(ceilings={"int8_gops_1": 1000.0, "read_gb_s_1": 20.0})},
    )  # fmt: skip
    return with_changes(plain, changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with RunWriter.create(tmp_path / "run", kernel_header()) as writer:
        for row in (kernel_row(qbench=2e-6, litert=3e-6, own8=4e-6), kernel_row(CONV, threads=2, qbench=1e-6)):
            writer.append(row)
    return tmp_path / "run"


def test_rows_are_read_as_they_were_written(folder: Path) -> None:
    run = read_run(folder)
    assert run.results == (kernel_row(qbench=2e-6, litert=3e-6, own8=4e-6), kernel_row(CONV, threads=2, qbench=1e-6))
    assert isinstance(run.results[1].trial.cell.problem, ConvProblem)


def test_a_torn_last_line_is_a_row_in_the_making(folder: Path) -> None:
    path = folder / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert len(read_run(folder).results) == 1
    with RunWriter.open(folder) as writer:
        assert len(writer.results) == 1
        writer.append(kernel_row(CONV, qbench=1e-6))
    assert len(read_run(folder).results) == 2


def test_a_damaged_row_is_named_with_its_line(folder: Path) -> None:
    path = folder / "trials.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"k":8', b'"k":"eight"', 1))
    with pytest.raises(ResultsError, match=r"trials\.jsonl:1: damaged row"):
        read_run(folder)


def test_readers_of_the_other_kind_of_run_say_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="expected a run of a network, got one of kernels"):
        read_run(folder, kind="network")
    RunWriter.create(tmp_path / "other", kernel_header(kind="network")).close()
    with pytest.raises(ResultsError, match="expected a run of kernels, got one of a network"):
        read_run(tmp_path / "other", kind="kernels")


def test_the_best_peer_is_the_fastest_that_was_timed() -> None:
    row = kernel_row(qbench=2e-6, slow=9e-6, fast=3e-6, own8=1e-6)
    assert row.best_peer is not None
    assert row.best_peer.cell == "fast"
    ratio = ratio_to(row, "peers")
    assert ratio is not None
    assert ratio.ratio == pytest.approx(1.5)
    slow, own = ratio_to(row, "slow"), ratio_to(row, "w8c-a8t")
    assert slow is not None
    assert own is not None
    assert (slow.ratio, own.ratio) == (pytest.approx(4.5), pytest.approx(0.5))
    assert ratio_to(row, "absent") is None
    assert ratio_to(kernel_row(fast=1e-6), "peers") is None


def test_ratios_are_of_paired_rounds() -> None:
    row = kernel_row(qbench=1e-6, peer=1e-6)
    drifting = tuple((1.0 + index) * 1e-6 for index in range(8))
    own, other = row.measurements
    faster = tuple(time_s * 2 for time_s in drifting)
    row = replace(row, measurements=(replace(own, samples_s=drifting), replace(other, samples_s=faster)))
    ratio = ratio_to(row, "peers")
    assert ratio is not None
    assert (ratio.low, ratio.ratio, ratio.high) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))


def test_the_share_of_the_ceiling_is_the_least_time_over_the_median() -> None:
    row = kernel_row(qbench=4e-6)
    assert ceiling_share(row, row.measured("qbench")) == pytest.approx(0.25)
    assert ceiling_share(row, None) is None
    assert ceiling_share(replace(row, bound_s=0.0), row.measured("qbench")) is None


def test_a_mean_is_geometric_and_knows_its_worst_row() -> None:
    rows = [kernel_row(qbench=1e-6, a=4e-6), kernel_row(CONV, qbench=1e-6, a=1e-6), kernel_row(qbench=1e-6)]
    mean = mean_against(rows, "peers")
    assert mean is not None
    assert (mean.value, mean.worst, mean.rows) == (pytest.approx(2), pytest.approx(1), 2)
    assert mean.worst_row.trial.cell.problem == CONV
    assert mean_against(rows[2:], "peers") is None


@pytest.mark.parametrize(
    ("least_time_s", "mean", "least", "met"),
    [(1e-6, 1.9, 0.9, True), (1e-6, 2.1, 0.9, False), (1e-6, 1.9, 1.1, False), (1e-6, 1.9, None, True)],
)
def test_a_bar_asks_for_the_mean_and_for_the_least(
    least_time_s: float, mean: float, least: float | None, met: bool
) -> None:
    rows = (kernel_row(qbench=1e-6, a=4e-6), kernel_row(CONV, qbench=1e-6, a=least_time_s))
    keys = tuple(row.trial.key for row in rows)
    bar = KernelBar(name="b", against="peers", mean=mean, least=least, threads=1, keys=keys)
    (found,) = judged(Run(Path(), kernel_header(bars=(bar,)), rows))
    assert found.met is met


def test_a_bar_is_not_met_where_rows_have_no_value() -> None:
    rows = (kernel_row(qbench=1e-6, a=4e-6), kernel_row(CONV, qbench=1e-6))
    keys = tuple(row.trial.key for row in rows)
    bar = KernelBar(name="b", against="peers", mean=1.0, threads=1, keys=keys)
    (found,) = judged(Run(Path(), kernel_header(bars=(bar,)), rows))
    assert (found.absent, found.met) == (1, False)


def test_scaling_compares_with_the_row_on_one_thread() -> None:
    one, two = kernel_row(qbench=3e-6, a=2e-6), kernel_row(threads=2, qbench=2e-6, a=2e-6)
    other = kernel_row(CONV, qbench=9e-6)
    assert scaling(two, [other, one, two]) == pytest.approx(1.5)
    assert scaling(two, [other, one, two], "a") == pytest.approx(1.0)
    assert scaling(two, [other, two]) is None


def test_the_frame_has_a_row_for_every_party(folder: Path) -> None:
    table = kernel_frame(read_run(folder))
    assert list(table["party"]) == ["qbench", "litert", "qbench w8c-a8t", "absent", "qbench", "absent"]
    first = table.iloc[0]
    assert first["gops"] == pytest.approx(GEMM.operations / 2e-6 / 1e9)
    assert table.iloc[1]["qbench_times_faster"] == pytest.approx(1.5)
    assert table.iloc[3]["reason"] == "absent: not here"
    assert math.isnan(table.iloc[3]["gops"])


def test_the_tables_are_written_and_name_the_best_library(folder: Path) -> None:
    paths = write_tables(read_run(folder))
    assert [path.name for path in paths] == ["table.csv", "table.md", "trials.parquet"]
    assert len(pd.read_csv(paths[0])) == len(pd.read_parquet(paths[2])) == 6
    text = kernel_markdown(read_run(folder), kernel_frame(read_run(folder)))
    line = next(line for line in text.splitlines() if "4x8x16" in line)
    assert "| litert |" in line
    assert "1.50 (1.50 to 1.50)" in line
    assert "geometric mean over 1 shapes 1.50, least 1.50" in text
