"""Networks on a device are rows like all others: scored, timed, continued, compared and drawn; in the simulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from qbench.cli.terminal.style import make_console
from qbench.cli.terminal.summary import show_summary
from qbench.core.tensor import Floats
from qbench.core.trial import TrialResult
from qbench.engine import FloatSession
from qbench.errors import MachineError, SuiteError
from qbench.graph import Conv, Flatten, Linear, Network, Pool, read_onnx, write_onnx
from qbench.graph.network import Clamp
from qbench.report import write_report
from qbench.results import NetworkRun, compare_runs, read_run
from qbench.results.index import frame
from qbench.runner import plan_run
from qbench.suite import load_suite

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("networks_in_simulator.py")
PATIENCE_S = 400
SUITE = """
name: on-device
device: cuda
model: small.onnx
data: small.npz
calibration: {samples: 8}
timing: {batch_sizes: 2, precision: 0.5, seconds_a_cell: 0.01, references: [torch-fp16]}
sweeps:
  - {name: accuracy, spec: [w4c-a8t, w8c-a32], method: minmax}
  - {name: speed, measure: [accuracy, speed], spec: w8c-a8t, method: minmax}
"""
ON_CPU = SUITE.replace("device: cuda\n", "").replace("references: [torch-fp16]", "references: []")


def tiny_network() -> Network:
    """One convolution, a pool and a classifier."""
    generator = np.random.default_rng(0)

    def numbers(*shape: int) -> Floats:
        return (generator.standard_normal(shape) * 0.3).astype(np.float32)

    nodes = (
        Conv("stem", "x", "stem", numbers(16, 3, 3, 3), numbers(16), pads=(1, 1, 1, 1), activation=Clamp(0.0, 1e30)),
        Pool("mean", "global_average", "stem", "mean", (3, 3)),
        Flatten("flat", "mean", "flat"),
        Linear("out", "flat", "out", numbers(4, 16) * 3, numbers(4)),
    )
    shapes = {"x": (3, 3, 3), "stem": (16, 3, 3), "mean": (16, 1, 1), "flat": (16,), "out": (4,)}
    return Network("tiny", "x", (3, 3, 3), "out", nodes, shapes, {}, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite beside its network and five images, so that the last batch of two is not full."""
    pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")
    place = tmp_path_factory.mktemp("device")
    write_onnx(tiny_network(), place / "small.onnx")
    generator = np.random.default_rng(1)
    images, calibration = (generator.integers(0, 256, (count, 3, 3, 3), dtype=np.uint8) for count in (5, 8))
    with FloatSession(read_onnx(place / "small.onnx"), threads=1) as session:
        labels = session.run((images / 255).astype(np.float32).transpose(0, 3, 1, 2)).argmax(axis=1)
    np.savez(place / "small.npz", images=images, labels=labels, calibration=calibration)
    (place / "suite.yaml").write_text(SUITE)
    (place / "cpu.yaml").write_text(ON_CPU)
    return place


def simulated(folder: Path, root: Path) -> Path:
    """Run the suite in a process with the simulator, and return the folder of the run."""
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), str(folder / "suite.yaml"), str(root)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=PATIENCE_S, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return Path(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> NetworkRun:
    return read_run(simulated(folder, tmp_path_factory.mktemp("results")), kind="network")


def row(run: NetworkRun, sweep: str, spec: str) -> TrialResult:
    return next(one for one in run.results if (one.trial.sweep, one.trial.spec) == (sweep, spec))


def test_a_row_holds_accuracy_bytes_and_time_of_the_device(run: NetworkRun) -> None:
    timed = row(run, "speed", "w8c-a8t")
    assert (timed.status, timed.execution) == ("ok", "integer")
    assert timed.metrics["top1_percent"].value is not None
    assert timed.metrics["agreement_percent"].value is not None
    assert (timed.metrics["resident_bytes"].value or 0) > 0
    assert len(timed.correct) > 0
    assert all("u8_s8" in kernel for kernel in timed.kernels.values())
    assert [found.group for found in timed.measurements] == ["network/batch2", "transfer/batch2"]
    assert len(timed.measurements[0].samples_s) >= 6
    assert {one["name"] for one in timed.layer_rows} == {"stem", "out"}
    assert any(note.startswith("not timed: torch-fp16: ") for note in timed.notes)
    table = frame(run).set_index("key")
    assert table.loc[timed.trial.key, "images_per_s_b2"] > 0
    assert table.loc[timed.trial.key, "ceiling_b2"] == "int8_gops_1"


def test_the_fp32_row_is_scored_on_the_cpu_and_a_trial_without_kernels_says_why(run: NetworkRun) -> None:
    first, failed = run.results[0], row(run, "accuracy", "w8c-a32")
    assert (first.trial.spec, first.execution, first.measurements) == ("w32-a32", "float32", ())
    assert "scored on the CPU and not timed: the device runs quantized networks" in first.notes
    assert row(run, "accuracy", "w4c-a8t").status == "ok"
    assert failed.status == "failed"
    assert failed.reason == "the device runs integer networks only: activation 'x' stays in float32"


def test_the_device_stands_in_the_header_and_on_the_page(run: NetworkRun, tmp_path: Path) -> None:
    ((machine, facts),) = run.header.machines.items()
    assert machine.endswith("-simulator")
    assert {one.machine for one in run.results} == {machine}
    assert (run.header.device, facts.environment["cuda"]["device"]) == ("cuda", "Simulator")
    assert len(facts.canary) >= 2
    assert "Simulator" in write_report([run.folder], tmp_path).read_text(encoding="utf-8")
    console = make_console()
    with console.capture() as shown:
        show_summary(console, run, verbose=True)
    assert "images/s, batch 2" in " ".join(shown.get().split())


def test_scores_are_those_of_the_cpu(run: NetworkRun, folder: Path, tmp_path: Path) -> None:
    from qbench.runner import run_suite

    other = read_run(run_suite(load_suite(folder / "cpu.yaml"), results_root=tmp_path, quick=True))
    for mine in run.results:
        same = row(other, mine.trial.sweep, mine.trial.spec)
        if mine.status == "ok":
            assert mine.correct == same.correct
            assert mine.metrics["logit_sqnr_db"].value == pytest.approx(same.metrics["logit_sqnr_db"].value, abs=0.01)
            assert mine.metrics["packed_bytes"] == same.metrics["packed_bytes"]


def test_a_run_is_continued_and_compared(run: NetworkRun, folder: Path) -> None:
    again = read_run(simulated(folder, run.folder.parents[1]))
    assert again.folder == run.folder
    held = {one.trial.key: one.cache_hash for one in run.results}
    assert [one.trial.key for one in again.results] == list(held)
    lines = (run.folder / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(run.results) + 1, "the failed row alone is tried again"
    comparison = compare_runs(run, again)
    assert {found.kind for found in comparison.rows} == {"time", "accuracy", "size"}
    assert comparison.differences == ()


def test_a_plan_is_made_without_a_device(folder: Path, tmp_path: Path) -> None:
    plan = plan_run(load_suite(folder / "suite.yaml"), tmp_path)
    assert [job.phase for job in plan.jobs] == ["score", "score", "score", "time"]
    assert plan.jobs[0].measure == ("accuracy",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("torch-fp16", "onnxruntime-fp32"), "peer 'onnxruntime-fp32' does not run on the device 'cuda'"),
        (("[accuracy, speed]", "layers"), "sweep 'speed': layers are not timed alone on the device 'cuda'"),
        (("spec: w8c-a8t,", "spec: w8c-a8t, backend: onnxruntime-int8,"), "'backend' goes with the device 'cpu'"),
    ],
)
def test_what_a_device_cannot_do_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(SUITE.replace(*change))
    with pytest.raises(SuiteError, match=message):
        load_suite(path)


def test_variants_of_the_cpu_are_refused(folder: Path, tmp_path: Path) -> None:
    suite = load_suite(folder / "suite.yaml", overrides=["sweeps.speed.variant=portable"])
    with pytest.raises(MachineError, match="variant: expected auto on the device 'cuda', got 'portable'"):
        plan_run(suite, tmp_path)
