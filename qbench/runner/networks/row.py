"""A row while it is being filled; `finish` makes it the frozen result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from qbench.core.tensor import Floats
from qbench.core.trial import Execution, Measurement, Metric, Trial, TrialResult
from qbench.metrics import Answers, Scored
from qbench.runner.networks.alarms import output_alarms
from qbench.runner.networks.score import score_outputs

LayerRow = dict[str, str | float | int | None]


@dataclass(slots=True)
class Row:
    """Everything that a trial has found out so far."""

    execution: Execution = "float32"
    metrics: dict[str, Metric] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    kernels: dict[str, str] = field(default_factory=dict)
    layer_rows: list[LayerRow] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    observed: dict[str, dict[str, float | None]] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    split_s: dict[str, tuple[float, float]] = field(default_factory=dict)

    def score(self, logits: Floats, answers: Answers) -> None:
        """Fill in what the logits of all evaluation images say."""
        scores = answers.task.score(logits, answers)
        self.metrics |= score_outputs(Scored(logits, answers, scores))
        self.stored = scores.stored
        self.alarms += output_alarms(logits, answers.task.outputs)

    def observe(self, party: str, **found: float | None) -> None:
        """Keep what was seen of a party beside its times, by the names of columns."""
        self.observed.setdefault(party, {}).update(found)

    def finish(self, trial: Trial, cache_hash: str, phases_s: Mapping[str, float]) -> TrialResult:
        """Return the row of a trial that went well."""
        return TrialResult(
            trial,
            cache_hash,
            "ok",
            execution=self.execution,
            metrics=self.metrics,
            measurements=tuple(self.measurements),
            phases_s=dict(phases_s),
            kernels=self.kernels,
            layer_rows=tuple(self.layer_rows),
            **self.stored,
            alarms=tuple(self.alarms),
            notes=tuple(self.notes),
            observed=self.observed,
            split_s=self.split_s,
        )
