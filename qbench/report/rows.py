"""One row of the report: a result beside its record in the frame of `qbench.results.index`, the statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from qbench.core.facts import granularity_name, spec_facts
from qbench.core.formats import Binary, Ternary
from qbench.core.spec import LayerSpec
from qbench.core.trial import Measurement, Metric, TrialResult
from qbench.metrics import find_kind, speed
from qbench.results.columns import timed_column
from qbench.results.index import binding_ceiling

FP32 = "onnxruntime-fp32"
INT8 = "onnxruntime-int8"


@dataclass(frozen=True, slots=True)
class LayerTime:
    """One layer timed alone beside its references, at one batch size."""

    layer: str
    batch: int
    own: Measurement
    references: Mapping[str, Measurement]

    @property
    def gops(self) -> float | None:
        """10^9 operations per second."""
        return speed.gops(self.own)

    def speedup(self, cell: str) -> Metric | None:
        """Return the paired speedup over a reference, or None when it was not timed."""
        return speed.speedup(self.references[cell], self.own) if cell in self.references else None


@dataclass(frozen=True)
class Row:
    """A trial as the report shows it.

    Args:
        result: the row of `trials.jsonl`.
        record: the same trial's row of the frame, column by column; a missing number is None.
        line: of `trials.jsonl`, the first is 1; 0 where that is not known.
    """

    result: TrialResult
    record: Mapping[str, Any]
    line: int = 0

    @property
    def ok(self) -> bool:
        """Whether the trial ran."""
        return self.result.status == "ok"

    @property
    def method(self) -> str:
        """The method's name."""
        return self.result.trial.method

    @cached_property
    def spec(self) -> LayerSpec:
        """The parsed spec."""
        return self.result.trial.layer_spec

    @property
    def token(self) -> str:
        """The spec's token, with the edges' when they differ, and how many rules single layers have."""
        trial = self.result.trial
        count = len(trial.overrides.split(",")) if trial.overrides else 0
        rules = f"{trial.overrides}" if count == 1 else f"{count} layer rules"
        changes = [f"{trial.edges} ends"] * bool(trial.edges) + [rules] * bool(count)
        return f"{trial.spec} ({', '.join(changes)})" if changes else trial.spec

    @property
    def label(self) -> str:
        """Spec and method, as the plots name a point."""
        trial = self.result.trial
        if trial.transform or trial.rounding:
            return f"{self.token} {trial.recipe}"
        corrected = f" + {trial.correction}" if trial.correction else ""
        return "fp32" if self.is_baseline else f"{self.token} {self.method}{corrected}"

    @property
    def recipe(self) -> str:
        """The stages that made it, e.g. `mse`, `mse/both`."""
        return self.result.trial.recipe

    @property
    def is_even(self) -> bool:
        """Whether all layers have one spec: the rows that lines of a plot join."""
        return not (self.result.trial.edges or self.result.trial.overrides)

    @property
    def is_plain(self) -> bool:
        """Whether all layers have one spec, and the recipe is a method alone."""
        return self.is_even and self.recipe == self.method

    @property
    def is_baseline(self) -> bool:
        """Whether this is an fp32 row."""
        return self.spec.scope == "none"

    @property
    def is_own(self) -> bool:
        """Whether qbench ran the network, not a peer."""
        return self.result.trial.backend == "qbench"

    @property
    def whole_network(self) -> bool:
        """Whether all layers are quantized."""
        return self.result.trial.layers == "all"

    @cached_property
    def width(self) -> str:
        """The bits that an axis shows, of the weights if they are quantized: `8` .. `1`, `T` ternary, `B` binary."""
        side = self.spec.activations if self.spec.scope == "activations" else self.spec.weights
        if isinstance(side.format, Ternary | Binary):
            return "T" if isinstance(side.format, Ternary) else "B"
        return str(spec_facts(self.result.trial)["bits"])

    @property
    def granularity(self) -> str:
        """The weights' granularity in words; empty where they are float32."""
        name = granularity_name(self.spec.weights)
        return f"groups of {name.removeprefix('group')}" if name.startswith("group") else f"per {name}" if name else ""

    def value(self, column: str) -> float | None:
        """Return a number of the frame, or None where the row has none."""
        found = self.record.get(column)
        return None if found is None else float(found)

    def metric(self, column: str, name: str = "") -> Metric | None:
        """Return a number of the frame with its interval, of the kind `name` (default: the column); None if absent."""
        name = name or column
        found = find_kind(name)
        if self.value(column) is None or found is None:
            return None
        return found.of(self.value(column), low=self.value(f"{column}_low"), high=self.value(f"{column}_high"))

    @property
    def target(self) -> str:
        """Whether the suite's target is `kept`, `lost` or `unsure`; "" when nothing was scored, and for fp32 itself."""
        return "" if self.is_baseline else str(self.record.get("target") or "")

    def images_per_s(self, batch: int) -> Metric | None:
        """Return the network's throughput at a batch size, or None when it was not timed."""
        return self.metric(timed_column("images_per_s", batch), "images_per_s")

    def speedup(self, batch: int, reference: str) -> Metric | None:
        """Return the network's paired speedup over a reference, or None when either was not timed."""
        return self.metric(timed_column("speedup", batch, reference=reference), "speedup")

    def ceiling_share(self, batch: int) -> float | None:
        """Return percent of the measured ceiling that binds this row's arithmetic."""
        return self.value(timed_column("ceiling_share", batch))

    def measurement(self, batch: int, cell: str) -> Measurement | None:
        """Return the raw times of a cell of the network's group, or None."""
        group = f"network/batch{batch}"
        return next((m for m in self.result.measurements if m.group == group and m.cell == cell), None)

    def layer_ceiling(self, time: LayerTime) -> str:
        """Return the name of the ceiling that binds the one kernel of a layer."""
        kernel = self.result.kernels.get(time.layer)
        alone = replace(self.result, kernels={} if kernel is None else {time.layer: kernel})
        return binding_ceiling(alone, threads=time.own.threads)

    @cached_property
    def layer_times(self) -> tuple[LayerTime, ...]:
        """Every layer that was timed alone, in the order of the row."""
        groups: dict[str, dict[str, Measurement]] = {}
        for found in self.result.measurements:
            if found.group.startswith("layer/"):
                groups.setdefault(found.group, {})[found.cell] = found
        times = []
        for group, cells in groups.items():
            if "qbench" in cells:
                layer = group.removeprefix("layer/").rpartition("/")[0]
                others = {name: cell for name, cell in cells.items() if name != "qbench"}
                times.append(LayerTime(layer, cells["qbench"].items, cells["qbench"], others))
        return tuple(times)
