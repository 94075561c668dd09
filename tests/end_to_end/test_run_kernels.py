"""The whole path of a kernel suite: every row, every file, the report, and the same run continued after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from qbench.cli import root
from qbench.results import read_run
from qbench.runner import plan_run
from qbench.suite import load_suite

TEXT = """
kind: kernels
name: mini
threads: 1
timing: {precision: 0.5, seconds_a_cell: 0.03}
peers: [onnxruntime]
sweeps:
  - name: gemm
    shapes: [gemm 5x64x32, gemm 7x96x16]
    out: [s32, u8]
  - name: bits
    shapes: gemm 8x64x32
    spec: wb-ab
    out: s32
    own: [w8c-a8t]
bars:
  - {name: something, where: sweep == gemm, mean: 0.001}
"""
FILES = {"run.json", "trials.jsonl", "table.csv", "table.md", "trials.parquet", "report.html", "plots"}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "mini.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def command(suite: Path, out: Path, *words: str) -> list[str]:
    return ["run", str(suite), "-o", str(out), "--quick", *words]


def test_a_run_is_killed_continued_reported_and_not_measured_again(suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    code = "from qbench.cli import main; main()"
    process = subprocess.Popen([sys.executable, "-c", code, *command(suite, out)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("mini/*/trials.jsonl")) or not next(out.glob("mini/*/trials.jsonl")).stat().st_size:
        assert time.monotonic() < deadline, "no row was written"
        assert process.poll() is None, "the run ended before its first row"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(read_run(out / "mini").results)
    assert 1 <= done <= 5

    plan = plan_run(load_suite(suite), out, quick=True)
    assert len(plan.cached) == done
    result = CliRunner().invoke(root, command(suite, out), standalone_mode=False)
    assert result.exception is None, result.output
    assert result.return_value == 0
    assert f"{5 - done} rows to run, {done} cached" in result.output
    assert "something" in result.output

    run = read_run(out / "mini")
    assert {path.name for path in run.folder.iterdir()} == FILES
    assert [row.status for row in run.results] == ["ok"] * 5
    assert run.header.state.finished
    assert len(run.header.machine.canary) >= 3
    assert all(row.bound and row.bound_s > 0 for row in run.results)
    assert all(row.measured("qbench") and (row.best_peer or row.trial.own) for row in run.results)
    lines = (run.folder / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["trial"]["sweep"] for line in lines} == {"gemm", "bits"}

    again = CliRunner().invoke(root, command(suite, out), standalone_mode=False)
    assert "0 rows to run, 5 cached" in again.output
    made = CliRunner().invoke(root, ["report", str(out / "mini"), "-o", str(tmp_path / "page")], standalone_mode=False)
    assert made.exception is None, made.output
    assert (tmp_path / "page" / "report.html").stat().st_size > 20_000


@pytest.mark.xdist_group("tiny_kernels")
def test_the_tiny_suite_runs_whole_without_other_libraries(tiny_kernel_run: Path) -> None:
    run = read_run(tiny_kernel_run)
    assert [row.status for row in run.results] == ["ok"] * 11
    assert {row.trial.sweep for row in run.results} == {"gemm", "conv", "narrow", "bits", "memory"}
    assert all(row.best_peer is None for row in run.results)
    assert all(row.stream for row in run.results if row.trial.kind == "memory")


def test_a_plan_of_kernels_lists_every_row(suite: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(root, ["plan", str(suite), "-o", str(tmp_path)], standalone_mode=False)
    assert found.exception is None, found.output
    assert "5 rows: 5 to run, 0 cached" in found.output
    assert "bits/gemm 8x64x32/wbc-abt/s32/t1" in found.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--filter", "threads == 5"), "no row is left by the filter"),
        (("--filter", "bits == 5"), "no field in 'bits == 5'"),
        (("--set", "threads=99"), "expected 1.."),
        (("--set", "sweeps.gemm.variant=x86_none"), "unknown kernel variant 'x86_none'"),
        (("--set", "sweeps.gemm.shapes=resnet51"), "unknown shapes 'resnet51'; did you mean"),
    ],
)
def test_wrong_input_is_one_line(suite: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(root, command(suite, tmp_path, *words), standalone_mode=False)
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
