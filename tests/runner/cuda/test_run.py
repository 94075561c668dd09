"""A run on one GPU, without a GPU: the suite, what the vendor's tool says, the worker, and the files that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")

from qbench.core.cells.result import KernelResult, PartyRow
from qbench.core.trial import Measurement
from qbench.errors import QBenchError, SuiteError
from qbench.kernels.cuda.checks import verify
from qbench.kernels.cuda.checks.verify import DeviceRow
from qbench.kernels.cuda.machines import driver
from qbench.results import read_run
from qbench.runner import Silent, plan_run, run_suite
from qbench.runner.cuda import health, kernels, maker
from qbench.runner.cuda.worker import LostError, Worker
from qbench.runner.job import AnyResult
from qbench.runner.machine import devices
from qbench.suite import KernelSuite, load_suite

TEXT = """
kind: kernels
device: cuda
name: small
peers: [torch-fp16]
sweeps:
  - {name: square, shapes: [gemm 64x64x64, gemm 128x64x64], spec: [w8c-a8t], out: [s32]}
bars:
  - {name: square against fp16, where: sweep == square and m >= 128, against: torch-fp16, mean: 0.9}
"""


@pytest.fixture
def suite(tmp_path: Path) -> KernelSuite:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load_suite(path)


class Listener(Silent):
    """Remembers what the run said."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.rows: list[AnyResult] = []

    def on_phase(self, text: str) -> None:
        self.told.append(text)

    def on_trial_end(self, result: AnyResult) -> None:
        self.rows.append(result)


class FakeWorker:
    """Answers as a worker with a device would; loses the device on one check and on one row."""

    def __enter__(self) -> FakeWorker:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def ask(self, verb: str, content: Any = None) -> Any:
        if verb == "ceilings":
            return {"int8_gops_1": 1e6, "read_gb_s_1": 4e3}
        if verb == "check":
            if content == 3:
                raise LostError("the process that holds the device ended")
            return DeviceRow(verify.name_of(content), "cuda_mma", 3, "2 of 9 differ" if content == 1 else "")
        _, trial, digest = content
        if trial.cell.problem.m == 64:
            raise LostError("the process that holds the device ended")
        times = [Measurement(trial.key, name, (1e-6,) * 6, 1, 1, 9) for name in ("qbench", "torch-fp16")]
        parties = (PartyRow("qbench", kernel="gemm"), PartyRow("torch-fp16"))
        return KernelResult(trial, digest, "ok", parties=parties, measurements=tuple(times))


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "Worker", FakeWorker)
    monkeypatch.setattr(maker, "Worker", FakeWorker)
    monkeypatch.setattr(devices, "_gpu", lambda: {"device": "a device", "compute_capability": 9.0})
    monkeypatch.setattr(devices.Cuda, "unavailable", lambda _: None)
    monkeypatch.setattr(health, "read", lambda when: {"when": when, health.THROTTLES[0]: "Not Active"})


@pytest.mark.usefixtures("quiet")
def test_a_run_is_read_like_any_run_of_kernels(suite: KernelSuite, tmp_path: Path) -> None:
    listener = Listener()
    folder = run_suite(suite, results_root=tmp_path, observer=listener)
    found = read_run(folder, kind="kernels")
    assert [row.status for row in found.results] == [row.status for row in listener.rows] == ["failed", "ok"]
    assert {row.machine for row in found.results} == set(found.header.machines)
    assert found.header.device == "cuda"
    assert found.header.machine.ceilings == {"int8_gops_1": 1e6, "read_gb_s_1": 4e3}
    assert found.header.state.finished
    assert not found.header.unstable
    assert [bar.keys for bar in found.header.suite.bars] == [("square/gemm 128x64x64/w8c-a8t/s32/t1",)]
    assert (folder / "table.md").is_file()


@pytest.mark.usefixtures("quiet")
def test_a_run_is_continued_and_its_checks_are_not_made_again(suite: KernelSuite, tmp_path: Path) -> None:
    first = run_suite(suite, results_root=tmp_path)
    plan, listener = plan_run(suite, tmp_path), Listener()
    assert (plan.folder, list(plan.cached)) == (first, ["square/gemm 128x64x64/w8c-a8t/s32/t1"])
    assert run_suite(suite, results_root=tmp_path, observer=listener) == first
    assert [row.trial.key for row in listener.rows] == ["square/gemm 64x64x64/w8c-a8t/s32/t1"]
    assert not [text for text in listener.told if text.startswith("checking")]
    assert plan_run(suite, tmp_path, fresh=True).folder is None
    assert run_suite(suite, results_root=tmp_path, fresh=True) != first


@pytest.mark.usefixtures("quiet")
def test_a_wrong_kernel_and_a_lost_device_stand_in_the_header(suite: KernelSuite, tmp_path: Path) -> None:
    listener = Listener()
    folder = run_suite(suite, results_root=tmp_path, observer=listener)
    checks = read_run(folder).header.machine.environment["cuda_checks"]
    assert len(checks) == verify.count()
    assert [i for i, row in enumerate(checks) if row["detail"]] == [1, 3]
    assert sum(text.startswith("wrong: ") for text in listener.told) == 2


def test_a_device_that_holds_itself_back_makes_the_run_unstable() -> None:
    line = "1980 MHz, 3201 MHz, 45, 600.1 W, Not Active, Active, Not Active\n"
    assert health.parse(line)["temperature.gpu"] == "45"
    assert health.throttled([health.parse(line)])
    assert not health.throttled([health.parse(line.replace(", Active,", ", Not Active,"))])
    assert not health.throttled([health.parse("[Not Supported]")])


def test_an_unknown_peer_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(TEXT.replace("torch-fp16]", "torch-fp17]"), encoding="utf-8")
    with pytest.raises(SuiteError, match=r"unknown peer 'torch-fp17'; did you mean 'torch-fp16'"):
        load_suite(path)


@pytest.mark.skipif(driver.unavailable() is None, reason="this machine has a GPU")
def test_without_a_device_a_worker_says_so() -> None:
    with Worker() as worker, pytest.raises(QBenchError, match="no CUDA d"):
        worker.ask("facts")


@pytest.mark.cuda
def test_every_kernel_is_exact_on_this_device() -> None:
    reason = driver.unavailable()
    if reason is not None:
        pytest.skip(reason)
    device = driver.Device()
    rows = [verify.verify(device, number) for number in range(verify.count())]
    assert [f"{row.operation} by {row.variant}: {row.detail}" for row in rows if row.detail] == []
