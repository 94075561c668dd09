"""The files by which asv follows a suite: written once, for one run, with every row that is planned."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qbench.cli import root
from qbench.core.trial import TrialResult
from qbench.errors import QBenchError, SuiteError
from qbench.results import RunWriter, read_run
from qbench.runner.tracked.files import write_asv
from qbench.runner.tracked.values import figures, track
from tests.results.conftest import header, row

SUITES = Path(__file__).parents[3] / "suites"


def test_a_module_names_every_row_and_asks_for_its_ratio(tmp_path: Path) -> None:
    config, _, module = write_asv(SUITES / "kernels_tiny.yaml", tmp_path, force=False)
    assert json.loads(config.read_text())["benchmark_dir"] == "benchmarks"
    tree = ast.parse(module.read_text())
    classes = {one.name: one for one in tree.body if isinstance(one, ast.ClassDef)}
    assert set(classes) == {"Product", "Memory"}
    text = module.read_text()
    assert 'values["gops/qbench ceiling {}".format(row)]' in text
    assert '"gemm/gemm 31x64x48/w8c-a8t/u8/t2"' in text
    assert text.count('version = "1"') == 2
    with pytest.raises(SuiteError, match=r"asv\.conf\.json: is there already; --force writes over it"):
        write_asv(SUITES / "kernels_tiny.yaml", tmp_path, force=False)


def test_what_cannot_be_followed_is_one_line(tmp_path: Path) -> None:
    for call in (
        lambda: write_asv(SUITES / "public.yaml", tmp_path, force=True),
        lambda: track(SUITES / "public.yaml"),
    ):
        with pytest.raises(SuiteError, match="expected a suite of one network or of kernels, got one of"):
            call()
    done = CliRunner().invoke(root, ["asv", "nit", "x.yaml"], standalone_mode=False)
    assert isinstance(done.exception, QBenchError)
    assert "expected init, got 'nit'" in str(done.exception)


def test_figures_are_numbers_by_column_and_row(tmp_path: Path) -> None:
    failed = row("w2c-a8t", status="failed")
    rows: list[TrialResult] = [row(times_s=(0.002,) * 7), failed]
    with RunWriter.create(tmp_path / "run", header()) as writer:
        for one in rows:
            writer.append(one)
    key = "speed/resnet20/all/w8c-a8t/mse/s0"
    assert figures(read_run(tmp_path / "run")) == pytest.approx(
        {
            f"images_per_s_b8 {key}": 4000.0,
            f"images_per_s_b8/onnxruntime-fp32 {key}": 2.0,
            f"top1_percent {key}": 92.5,
            f"packed_bytes {key}": 1000.0,
        }
    )
