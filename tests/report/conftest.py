"""A FABRICATED run for the report's tests: every number in it is made up by a formula, none was measured."""

import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from qbench.core.trial import Execution, Measurement, Metric, Trial, TrialResult
from qbench.metrics import kind, pack_bits
from qbench.metrics.classification import TOP1
from qbench.report import write_report
from qbench.results import DataFacts, MachineFacts, ModelFacts, RunHeader, RunState, RunWriter, SuiteFacts

LAYERS = ("stem", *(f"blocks.{b}.conv{i}" for b in range(9) for i in (1, 2)), "classifier")
OPERATIONS = {name: 1.3e5 if name == "classifier" else 8.8e5 if name == "stem" else 4.7e6 for name in LAYERS}
WEIGHTS = 269_722
LOSS_DB = {
    "mse": 0.0,
    "minmax": 1.2,
    "percentile": 0.5,
    "kl": 0.8,
    "kmeans": -1.0,
    "log": 2.5,
    "linear_floor": 7.2,
    "absmax": 1.6,
}
GRAIN_DB = {"t": -7.0, "c": 0.0, "g32": 2.5}
SPEED = {
    "w32-a32": 1.0,
    "w8c-a8t": 3.1,
    "w4c-a8t": 2.9,
    "w4g32-a8t": 2.2,
    "wtc-a8t": 3.0,
    "wbc-a8t": 3.4,
    "wbc-abt": 6.1,
}
CEILINGS = {
    f"{name}_{many}": base * factor
    for name, base in (("int8_gops", 1450.0), ("popcount_gops", 4500.0), ("float32_gflops", 380.0))
    for many, factor in (("1", 1.0), ("all", 1.95))
} | {"read_gb_s_all": 21.5}


def waiting(text: str) -> list[str]:
    """Return the lines of `trials.jsonl` whose rows wait as data in a page."""
    found = (json.loads(one) for one in re.findall(r'<script type="application/json">(.*?)</script>', text))
    return [values[one["facts"].index("line")] for one in found for values, _ in one["rows"]]


class Fabricator:
    def __init__(self, images: int) -> None:
        self.random = np.random.default_rng(7)
        self.margin = self.random.normal(1.4, 1.0, images)
        self.labels = np.arange(images) % 10

    def result(self, trial: Trial) -> TrialResult:
        spec = trial.layer_spec
        if trial.method == "kl" and spec.scope == "weights":
            return TrialResult(trial, "f", "skipped", "kl chooses ranges of activations only")
        if trial.spec == "w2g32-a8t" and trial.method == "log":
            return TrialResult(trial, "f", "failed", "blocks.3.conv1: expected 8 groups of 32 of depth 144, got 4.5")
        noise_db = self._noise_db(trial)
        noise, random = 10 ** (-noise_db / 20), np.random.default_rng(seed_of(trial))
        right = self.margin + noise * (random.normal(size=self.margin.size) - 0.8) > 0
        right |= random.uniform(size=right.size) < 0.1 * min(noise, 1.0)
        metrics = {"top1_percent": TOP1.summary(right)} | self._sizes(trial)
        if spec.scope in ("weights", "full"):
            metrics["weight_sqnr_db"] = kind("weight_sqnr_db").of(noise_db + 9.0)
            metrics["weight_bias_steps"] = kind("weight_bias_steps").of(-0.5 if "floor" in trial.method else 0.002)
        metrics["logit_sqnr_db"] = kind("logit_sqnr_db").of(noise_db + 4.0)
        metrics["agreement_percent"] = kind("agreement_percent").of(100.0 - 60.0 * 10 ** (-noise_db / 20))
        execution: Execution = (
            "float32" if spec.scope == "none" else "dequantized" if spec.scope != "full" else "integer"
        )
        kernel = "gemm_b1_b1_s32/x86_popcount" if trial.spec.endswith("abt") else "conv_u8_s8_u8/x86_vnni"
        return TrialResult(
            trial,
            "f",
            "ok",
            execution=execution if "log" not in trial.method else "simulated",
            metrics=metrics,
            measurements=tuple(self._times(trial)),
            kernels={} if execution != "integer" else dict.fromkeys(LAYERS, kernel),
            layer_rows=tuple({"name": n, "operations": OPERATIONS[n], "sqnr_db": noise_db + 9.0} for n in LAYERS),
            correct=pack_bits(right),
            alarms=("constant output: every image is class 3",) if noise_db < -12 else (),
            phases_s={"quantize": 0.11, "score": 1.4},
        )

    def _noise_db(self, trial: Trial) -> float:
        spec = trial.layer_spec
        if spec.scope == "none":
            return 90.0
        sides = [side for side in (spec.weights, spec.activations) if not side.is_float]
        loss = LOSS_DB.get(trial.method, 9.0) + (
            0.0 if spec.weights.is_float else -GRAIN_DB[spec.weights.granularity.token]
        )
        found = min(5.6 * side.format.bits for side in sides) - 6.0 - loss
        return found + (14.0 if trial.layers != "all" else 0.0) + 3.0 * (trial.layers in ("stem", "classifier")) * -2

    def _sizes(self, trial: Trial) -> dict[str, Metric]:
        spec = trial.layer_spec
        bits = spec.weights.format.bits + {"t": 0.0, "c": 0.35, "g32": 1.1}[spec.weights.granularity.token]
        bits = 32.0 if spec.weights.is_float else bits
        packed = WEIGHTS * bits / 8 + 2776
        names = {
            "theoretical_bytes": WEIGHTS * math.floor(bits) / 8,
            "packed_bytes": packed,
            "resident_bytes": packed * 1.3,
        }
        shares = {"bits_per_weight": bits, "integer_share": 0.998 if spec.scope == "full" else 0.0}
        return {name: kind(name).of(value) for name, value in (names | shares).items()}

    def _times(self, trial: Trial) -> Iterator[Measurement]:
        factor = SPEED.get(trial.spec)
        for batch in trial.batch_sizes if factor else ():
            base = batch / (2600.0 if batch == 1 else 5200.0)
            cells = {"qbench": base / (factor or 1.0), "onnxruntime-fp32": base, "onnxruntime-int8": base / 2.4}
            yield from self._group(f"network/batch{batch}", cells, batch, sum(OPERATIONS.values()))
        if trial.sweep == "layers":
            for name in LAYERS:
                own = 256 * OPERATIONS[name] / (1e9 * (60 if name in ("stem", "classifier") else 390))
                cells = {"qbench": own, "onnxruntime-fp32": own * 3.2, "onnxruntime-int8": own * 1.3}
                yield from self._group(f"layer/{name}/batch256", cells, 256, OPERATIONS[name])

    def _group(self, group: str, cells: dict[str, float], batch: int, operations: float) -> Iterator[Measurement]:
        drift = self.random.lognormal(0.0, 0.03, 21)
        for cell, median in cells.items():
            samples = tuple(float(v) for v in median * drift * self.random.lognormal(0.0, 0.015, 21))
            yield Measurement(group, cell, samples, 3, batch, int(operations * batch), threads=2, stop="precise")


def seed_of(trial: Trial) -> int:
    return zlib.crc32(trial.key.encode())


def trials(methods: tuple[str, ...], bits: tuple[int, ...]) -> Iterator[Trial]:
    def trial(sweep: str, spec: str, method: str, layers: str = "all", batches: tuple[int, ...] = ()) -> Trial:
        return Trial(sweep, "resnet20", "cifar10-shard", layers, spec, method, batch_sizes=batches)

    yield trial("baseline", "w32-a32", "none", batches=(1, 256))
    for method in methods:
        tag = "log" if method == "log" else "km" if method == "kmeans" else ""
        for b in bits:
            grains = ("t", "c", "g32") if method in ("mse", "linear_floor") else ("c",)
            yield from (trial("bits", f"w{b}{tag}{g}-a32", method) for g in grains)
            yield from (trial("bits", f"w{b}{tag}{g}-a8t", method) for g in grains)
            if method not in ("log", "kmeans"):
                yield trial("bits", f"w32-a{b}t", method)
                yield trial("bits", f"w{b}c-a{b}t", method)
    for spec in list(SPEED)[1:]:
        method = {"wt": "ternary", "wb": "binary"}.get(spec[:2], "mse")
        yield trial("speed", spec, method, batches=(1, 256))
    yield trial("layers", "w8c-a8t", "mse")
    for b in bits[1:]:
        yield from (trial("each", f"w{b}c-a32", "mse", layers=name) for name in LAYERS)


MACHINE = MachineFacts(
    environment={
        "cpu_model": "Fabricated CPU <8-core>",
        "cpu_features": ["avx2", "avx512vnni"],
        "cpus_allowed": [0, 1],
    },
    ceilings=CEILINGS,
    versions={"qbench": "0.0.0", "numpy": "2"},
    canary=[
        {"when": "start", "compute_s": 0.01, "memory_s": 0.02},
        {"when": "end", "compute_s": 0.0108, "memory_s": 0.02},
    ],
    unstable=True,
)


def fabricate(
    folder: Path, *, images: int, methods: tuple[str, ...], bits: tuple[int, ...], shift: float = 0.0
) -> Path:
    maker = Fabricator(images)
    maker.margin += shift
    header = RunHeader(
        qbench_version="0.0.0",
        suite=SuiteFacts(
            name="fabricated",
            title="FABRICATED: ResNet-20 on CIFAR-10",
            text="name: fabricated\n",
            sha256="0" * 64,
            threads=2,
        ),
        command_line="qbench run fabricated.yaml",
        created_utc="2026-01-02T03:04:05Z",
        model=ModelFacts(name="resnet20", sha256="1" * 64, layers=LAYERS, weights=WEIGHTS, operations=81_000_000),
        data=DataFacts(name="cifar10-shard", sha256="2" * 64, images=images, calibration_images=512),
        machines={"fabricated": MACHINE},
        state=RunState(finished=True, seconds=251.0),
    )
    with RunWriter.create(folder, header) as writer:
        for trial in trials(methods, bits):
            writer.append(maker.result(trial))
    return folder


@pytest.fixture(scope="session")
def make_run() -> Callable[..., Path]:
    return fabricate


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "20260102T030405Z-abc123"
    return fabricate(folder, images=1200, methods=("mse", "minmax", "linear_floor"), bits=(8, 4, 2))


@pytest.fixture(scope="session")
def page(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report([run_folder], tmp_path_factory.mktemp("report"))
