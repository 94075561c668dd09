"""A trial, and the one result that it leaves. These are the rows of `trials.jsonl`."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from qbench.core.recipe import RecipeParts
from qbench.core.spec import LayerSpec, parse_spec

Status = Literal["ok", "skipped", "failed"]
Execution = Literal["float32", "integer", "mixed", "dequantized", "simulated"]
ON_INTEGERS: tuple[Execution, ...] = ("integer", "mixed")
"""What runs on integer kernels: all layers, or those that no rule and no format keeps in float32."""
Direction = Literal["higher", "lower", "none"]

WINNERS = "winners"
"""The sweep of rows that are timed because of how they scored."""

_LONGEST_RULES = 48
"""Letters of a key that rules for single layers may take before they are shortened."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One cell of a suite.

    Args:
        sweep: name of the sweep in the suite that this trial belongs to.
        model: name of a packaged network, or path of an ONNX file.
        data: name of the evaluation data.
        layers: `all`, or the name of the one layer that is quantized.
        spec: canonical token of the layers' spec, e.g. `w4c-a8t`; `w32-a32` is the fp32 row.
        edges: canonical token of the first and the last layer's spec when it differs from `spec`, else "".
        overrides: canonical rules for single layers (`qbench.core.rules.rules_text`), "" for none.
        correction: stages after rounding, such as `bias`, `variance` or `both`; "" for none.
        transform: stages that change the float network before, such as `cle`; "" for none.
        rounding: stages that round codes anew, such as `gptq`; "" for rounding as the method does.
        method: how ranges and codes are chosen; `none` for fp32. With `transform`, `rounding` and `correction` it is
            the trial's `recipe`.
        calibration: number of calibration samples.
        samples: the same where a sweep names it; 0 where it is the suite's.
        seed: draw of the calibration samples and of any random choice.
        variant: `auto`, or the kernel variant to pin.
        batch_sizes: batch sizes to time; empty when only accuracy is asked.
        backend: `qbench`, or the name of a peer that runs the same network.
        source: where the calibration samples come from, a word of `qbench.core.calibration`; "" for the data.
        accumulator: `16-wrap` or `16-saturate` where sums of so many bits are simulated, "" for the kernels' 32.
    """

    sweep: str
    model: str
    data: str
    layers: str
    spec: str
    method: str
    edges: str = ""
    calibration: int = 512
    seed: int = 0
    variant: str = "auto"
    batch_sizes: tuple[int, ...] = ()
    backend: str = "qbench"
    overrides: str = ""
    correction: str = ""
    transform: str = ""
    rounding: str = ""
    samples: int = 0
    accumulator: str = ""
    source: str = ""

    @property
    def recipe(self) -> str:
        """The stages as text, e.g. `mse`, `mse/bias`, `cle/mse+gptq/both` (`qbench.quantization`)."""
        return RecipeParts(self.method, self.transform, self.rounding, self.correction).text

    @property
    def network(self) -> str:
        """The network's name, without folders where it is a file."""
        return PurePath(self.model).name

    @property
    def key(self) -> str:
        """Unique and readable, e.g. `accuracy/resnet20/all/w4c-a8t/mse/s0`."""
        parts = (
            self.sweep,
            self.network,
            self.layers,
            self.spec,
            f"edges-{self.edges}" if self.edges else "",
            f"rules-{self._short_overrides}" if self.overrides else "",
            self.recipe,
            f"s{self.seed}",
            f"n{self.samples}" if self.samples else "",
            f"from-{self.source}" if self.source else "",
            self.variant if self.variant != "auto" else "",
            f"sums-{self.accumulator}" if self.accumulator else "",
            self.backend if self.backend != "qbench" else "",
        )
        return "/".join(filter(None, parts))

    @property
    def _short_overrides(self) -> str:
        """The rules themselves while they are few, else the first of them, their number and a hash."""
        rules = self.overrides.split(",")
        if len(self.overrides) <= _LONGEST_RULES:
            return self.overrides
        return f"{rules[0]}+{len(rules) - 1}-{hashlib.sha256(self.overrides.encode()).hexdigest()[:6]}"

    @property
    def layer_spec(self) -> LayerSpec:
        """The parsed spec."""
        return parse_spec(self.spec)


@dataclass(frozen=True, slots=True)
class Metric:
    """A score: value, unit, which way is better, and a 95 % interval when there is one.

    `value` is None when the score does not exist for this row, with the reason in the row's notes.
    """

    value: float | None
    unit: str
    better: Direction = "none"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """Raw times of one cell that took turns with the cells of the same `group`; statistics are computed on reading.

    Args:
        group: cells of one group were interleaved, and only their ratios are meaningful, e.g. `network/batch256`.
        cell: `qbench`, or the name of the peer, e.g. `onnxruntime-fp32`, `onnxruntime-int8`.
        samples_s: seconds per call, one per round; round i of every cell in the group ran next to the others' round i.
        inner_loops: calls that a sample was averaged over.
        items: images (or operations' batch) per call.
        operations: arithmetic operations per call (2 per multiply-add), 0 when unknown.
        threads: threads used.
        stop: why sampling stopped: `precise`, `no longer improving`, `time cap`.
        processes: samples of each fresh process, in their order; empty where all are of one.
    """

    group: str
    cell: str
    samples_s: tuple[float, ...]
    inner_loops: int
    items: int
    operations: int = 0
    threads: int = 1
    stop: str = ""
    processes: tuple[int, ...] = ()

    @property
    def median_s(self) -> float:
        """Median of the samples."""
        ordered = sorted(self.samples_s)
        middle = len(ordered) // 2
        if not ordered:
            return math.nan
        return ordered[middle] if len(ordered) % 2 else 0.5 * (ordered[middle - 1] + ordered[middle])


MAKING = ("calibrate", "quantize", "shared")
"""Phases that make a quantized network: together what it would cost by itself."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One row.

    Args:
        trial: what was asked.
        cache_hash: hash of all the result depends on (model, data, calibration, method version, kernel sources).
        status: `ok`, `skipped` (with a reason) or `failed` (with a reason).
        reason: why the row is not ok, else "".
        execution: what arithmetic was scored.
        metrics: name -> score; names are those of `qbench.metrics`.
        measurements: raw times.
        phases_s: seconds spent in load, calibrate, quantize, pack, compile, verify, score, time; `shared` are
            those that earlier rows spent on what this one uses too.
        kernels: layer name -> kernel that ran, e.g. `conv_u8_s8_u8/x86_vnni`.
        layer_rows: facts per layer, as dicts with the keys `name`, `kind`, `operations`, `images`, `median_s` ...
        correct: base64 of the packed bits "prediction was right", one a test image, for paired statistics.
        scores: base64 of one float32 per test image, instead of `correct`, where a sample is not just right or wrong.
        alarms: things that look wrong: constant output, saturation above 10 % ...
        notes: free remarks, one a string.
        split_s: kind of step -> seconds per image on one thread, in this network and in its graph in float32, in turns.
        machine: id of the machine that made the row, in the run's header; "" where there is but one.
        observed: party -> column -> what a fresh process, a sensor or a search said of it, by the names of
            `qbench.results.columns.LOADED`; None where there is no sensor.
    """

    trial: Trial
    cache_hash: str
    status: Status
    reason: str = ""
    execution: Execution = "float32"
    metrics: dict[str, Metric] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    phases_s: dict[str, float] = field(default_factory=dict)
    kernels: dict[str, str] = field(default_factory=dict)
    layer_rows: tuple[dict[str, str | float | int | None], ...] = ()
    correct: str = ""
    scores: str = ""
    alarms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    machine: str = ""
    observed: dict[str, dict[str, float | None]] = field(default_factory=dict)
    split_s: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def making_s(self) -> float:
        """Seconds that calibrating and quantizing cost by themselves."""
        return sum(self.phases_s.get(phase, 0.0) for phase in MAKING)
