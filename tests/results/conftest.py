"""Runs made by hand: small, exact, and quick to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from qbench.core.trial import Measurement, Metric, Trial, TrialResult
from qbench.metrics import pack_bits
from qbench.results import DataFacts, MachineFacts, ModelFacts, RunHeader, RunWriter, SuiteFacts

IMAGES = 400

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]


CEILINGS = {"int8_gops_all": 400.0, "float32_gflops_all": 100.0, "popcount_gops_all": 900.0}


def with_changes(plain: RunHeader, changes: Mapping[str, Any]) -> RunHeader:
    """A header with changes: of machines in the facts of its only one, of the suite and of the state in theirs."""
    update = dict(changes)
    parts: dict[str, BaseModel] = {"suite": plain.suite, "state": plain.state, "machine": plain.machine}
    changed = {
        name: part.model_copy(update={key: update.pop(key) for key in type(part).model_fields if key in update})
        for name, part in parts.items()
    }
    machines = {name: changed["machine"] for name in plain.machines}
    return plain.model_copy(
        update={"machines": machines, "suite": changed["suite"], "state": changed["state"], **update}
    )


def header(**changes: Any) -> RunHeader:
    plain = RunHeader(
        qbench_version="0.1.0",
        suite=SuiteFacts(name="mini", text="name: mini\n", sha256="0" * 64),
        created_utc="2026-01-02T03:04:05Z",
        model=ModelFacts(name="resnet20", sha256="1" * 64),
        data=DataFacts(name="cifar10-shard", sha256="2" * 64, images=IMAGES),
        machines={"one": MachineFacts(environment={"cpu_model": "one"}, ceilings=CEILINGS)},
    )
    return with_changes(plain, changes)


def right(wrong: int) -> str:
    """Packed bits with the last `wrong` images wrong."""
    return pack_bits(np.arange(IMAGES) < IMAGES - wrong)


def row(spec: str = "w8c-a8t", *, wrong: int = 30, times_s: tuple[float, ...] = (), **changes: Any) -> TrialResult:
    """A row of `spec`; timed when `times_s` is given, beside a reference that always takes 4 ms."""
    trial = Trial("speed", "resnet20", "cifar10-shard", "all", spec, "mse")
    if spec == "w32-a32":
        trial = replace(trial, sweep="baseline", method="none")
    measurements: tuple[Measurement, ...] = ()
    if times_s:
        measurements = (
            Measurement("network/batch8", "qbench", times_s, 1, 8, 8_000_000, 2, "precise"),
            Measurement("network/batch8", "onnxruntime-fp32", (0.004,) * len(times_s), 1, 8, 8_000_000, 2, "precise"),
        )
    result = TrialResult(
        trial,
        "hash",
        "ok",
        execution="integer" if spec != "w32-a32" else "float32",
        metrics={"top1_percent": Metric(100 - wrong / 4, "%", "higher", 80.0, 95.0), "packed_bytes": Metric(1000, "B")},
        measurements=measurements,
        phases_s={"score": 0.5},
        kernels={"stem": "conv_u8_s8_u8/x86_vnni"},
        layer_rows=({"name": "stem", "depth": 27, "sqnr_db": 31.5, "median_s": None},),
        correct=right(wrong),
        alarms=("constant output",),
        notes=("a note",),
    )
    return replace(result, **changes)


def slower(row: TrialResult) -> TrialResult:
    """The timed row, 20 % slower than it was."""
    own, other = row.measurements
    return replace(row, measurements=(replace(own, samples_s=tuple(1.2 * s for s in own.samples_s)), other))


def renamed(row: TrialResult, **changes: Any) -> TrialResult:
    """The row of another trial."""
    return replace(row, trial=replace(row.trial, **changes))


@pytest.fixture
def make_row() -> MakeRow:
    return row


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(name: str, *rows: TrialResult, **changes: Any) -> Path:
        with RunWriter.create(tmp_path / name, header(**changes)) as writer:
            for result in rows:
                writer.append(result)
        return tmp_path / name

    return make


@pytest.fixture
def make_header() -> Callable[..., RunHeader]:
    return header
