"""A row of a seeded network says so and holds no accuracy, whatever labels its images carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qbench.cli.terminal.style import make_console
from qbench.cli.terminal.summary import show_summary
from qbench.graph import write_onnx
from qbench.report import write_report
from qbench.results import read_run
from qbench.runner import run_suite
from qbench.suite import load_suite
from tests.runner.conftest import small_network

SUITE = """
name: seeded
model: seeded.onnx
data: labelled.npz
calibration: {samples: 16}
timing: {batch_sizes: 2, precision: 0.5, seconds_a_cell: 0.02, references: [onnxruntime-int8]}
sweeps:
  - {name: bits, scope: full, bits: [8, 4], method: minmax}
  - {name: single, layers: second, scope: weights, bits: 4, method: mse}
  - {name: speed, measure: [accuracy, speed], spec: w8c-a8t, method: mse}
  - {name: peers, spec: w8c-a8t, method: mse, backend: onnxruntime-int8}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("seeded")
    write_onnx(replace(small_network(), metadata={"weights": "seeded"}), place / "seeded.onnx")
    generator = np.random.default_rng(1)
    images, calibration = (generator.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8) for count in (24, 16))
    np.savez(place / "labelled.npz", images=images, labels=np.arange(24) % 4, calibration=calibration)
    (place / "seeded.yaml").write_text(SUITE)
    return run_suite(load_suite(place / "seeded.yaml"), results_root=place / "results")


def test_every_row_says_that_weights_are_seeded_and_holds_no_accuracy(folder: Path) -> None:
    rows = read_run(folder).results
    assert [row.reason for row in rows if row.status != "ok"] == []
    for row in rows:
        assert "weights are seeded: speed and agreement with fp32 only, no accuracy" in row.notes
        assert not {"top1_percent", "top1_drop_points", "keeps_99", "worst_class_percent"} & set(row.metrics)
        assert row.metrics["agreement_percent"].value is not None
        assert row.correct == ""
    assert any(row.measurements for row in rows)


def test_its_page_and_summary_speak_of_agreement(folder: Path) -> None:
    page = write_report([folder], folder).read_text(encoding="utf-8")
    assert "The weights of this network are seeded: its rows hold speed and agreement with fp32, no accuracy." in page
    console = make_console()
    with console.capture() as shown:
        show_summary(console, read_run(folder), verbose=True)
    words = " ".join(shown.get().split())
    assert "agreement with fp32 %" in words
    assert "top-1" not in words
