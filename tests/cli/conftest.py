"""The command line, called as a user calls it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from qbench.core.trial import Measurement, Metric, Trial, TrialResult
from qbench.metrics import pack_bits
from qbench.results import DataFacts, MachineFacts, ModelFacts, RunHeader, RunState, RunWriter, SuiteFacts
from tests.results.conftest import with_changes


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Call = Callable[..., Outcome]
MakeRun = Callable[..., Path]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: str | Path) -> Outcome:
        from qbench.cli import main

        monkeypatch.setattr(sys, "argv", ["qbench", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as leaving:
            main()
        assert isinstance(leaving.value.code, int)
        return Outcome(leaving.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a run of an fp32 row and an 8-bit row whose median time and wrong images are given."""

    def make(name: str, *, median_s: float = 0.001, wrong: int = 20, **changes: Any) -> Path:
        header = RunHeader(
            qbench_version="0.1.0",
            suite=SuiteFacts(name="mini", text="name: mini\n", sha256="0" * 64),
            created_utc="2026-01-02T03:04:05Z",
            model=ModelFacts(name="resnet20", sha256="1" * 64),
            data=DataFacts(name="cifar10-shard", sha256="2" * 64, images=400),
            state=RunState(finished=True),
            machines={"one": MachineFacts()},
        )
        trial = Trial("speed", "resnet20", "cifar10-shard", "all", "w8c-a8t", "mse", batch_sizes=(8,))
        noise = np.exp(0.005 * np.random.default_rng(1).standard_normal(31))
        cells = tuple(
            Measurement("network/batch8", cell, tuple(seconds * noise / np.median(noise)), 1, 8, 1000, 2)
            for cell, seconds in (("qbench", median_s), ("onnxruntime-fp32", 0.004))
        )
        row = TrialResult(
            trial,
            "hash",
            "ok",
            execution="integer",
            metrics={"top1_percent": Metric(100 - wrong / 4, "%", "higher"), "packed_bytes": Metric(1000, "bytes")},
            measurements=cells,
            correct=pack_bits(np.arange(400) < 400 - wrong),
        )
        fp32 = replace(
            row,
            trial=replace(trial, sweep="baseline", spec="w32-a32", method="none"),
            execution="float32",
            correct=pack_bits(np.arange(400) < 380),
        )
        with RunWriter.create(tmp_path / name, with_changes(header, changes)) as writer:
            writer.append(fp32)
            writer.append(row)
        return tmp_path / name

    return make
