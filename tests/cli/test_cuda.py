"""The command line on a suite with `device: cuda`: what it says without a GPU, and how networks look."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")

from qbench.cli import root
from qbench.cli.cuda import show_networks, show_ptx
from qbench.errors import QBenchError
from qbench.kernels.cuda.checks import family
from qbench.kernels.cuda.machines import driver

SUITE = Path(__file__).parents[2] / "suites" / "cuda.yaml"


@pytest.mark.skipif(driver.unavailable() is None, reason="this machine has a GPU")
def test_without_a_gpu_a_run_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(QBenchError, match=r"^no CUDA d[^\n]*$"):
        root.main(["run", str(SUITE), "-o", str(tmp_path), "--quick"], standalone_mode=False)
    assert list((tmp_path / "cuda").glob("*/run.json")) == []


def test_a_plan_needs_no_gpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root.main(["plan", str(SUITE), "-o", str(tmp_path)], standalone_mode=False)
    assert " rows: " in capsys.readouterr().out


@pytest.mark.skipif(driver.unavailable() is None, reason="this machine has a GPU")
def test_without_a_gpu_verify_has_one_row_with_the_reason() -> None:
    (row,) = family.rows()
    assert (row.status, row.cases) == ("not on this machine", 0)
    assert row.detail.startswith("no CUDA d")


def test_networks_stand_beside_the_other_library_or_their_reason() -> None:
    text = io.StringIO()
    facts = {"model": "one", "spec": "w8c-a8t", "batch": 4, "peer": "torch-fp16", "transfer_s": 0.002}
    show_networks(
        Console(file=text, width=200),
        [
            facts | {"images_per_s": {"qbench": 300.0, "torch-fp16": 200.0}},
            facts | {"images_per_s": {"qbench": 300.0}, "peer": "torch is not installed"},
            {"model": "two", "reason": "no kernel"},
        ],
    )
    assert "1.50" in text.getvalue()
    assert "torch is not installed" in text.getvalue()
    assert "failed  two: no kernel" in text.getvalue()


@pytest.mark.xdist_group("ptx")
def test_the_table_of_compiled_kernels_shows_no_spill(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_ptx() == 0
    printed = capsys.readouterr().out
    assert "wgmma_u8_s8" in printed
    assert "sm_90a" in printed
