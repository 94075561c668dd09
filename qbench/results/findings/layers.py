"""How sensitive each layer is: what quantizing it alone does to the answers, a line for each layer, recipe and width.

Three measures stand beside each other: what the task's score lost, with its paired interval; the SQNR of the answers;
and their KL divergence from fp32's. The last two tell layers apart on far fewer samples than right or wrong does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from qbench.core.facts import granularity_name, spec_facts
from qbench.metrics import load_task
from qbench.results.index import frame
from qbench.results.reader import NetworkRun

SCOPES = {"weights": "weights", "activations": "activations", "full": "both"}
"""What is quantized of a layer, and what people read above its columns."""
Key = tuple[str, str, int, str]


@dataclass(frozen=True, slots=True)
class LayerLine:
    """One layer, quantized alone.

    Args:
        layer: its name.
        recipe: the stages.
        bits: of what is quantized.
        granularity: which weights share a scale, "" where only activations were tried.
        records: scope -> the row's record in the frame.
    """

    layer: str
    recipe: str
    bits: int
    granularity: str
    records: dict[str, dict[str, Any]]

    def value(self, scope: str, column: str) -> float | None:
        """Return a number of one scope's row, None where there is none."""
        found = self.records.get(scope, {}).get(column)
        return None if found is None or pd.isna(found) else float(found)


def layer_lines(run: NetworkRun) -> tuple[LayerLine, ...]:
    """Return what each layer that was tried alone does, in the order of the network, the widest bits first.

    `full` holds rows whose weights and activations have one width; of several draws the first counts.
    """
    found: dict[Key, dict[str, dict[str, Any]]] = {}
    for row, record in zip(run.results, frame(run).astype(object).to_dict("records"), strict=True):
        trial, facts = row.trial, spec_facts(row.trial)
        alike = facts["scope"] != "full" or facts["weight_bits"] == facts["activation_bits"]
        if trial.layers != "all" and row.status == "ok" and trial.backend == "qbench" and alike:
            key = (trial.layers, trial.recipe, facts["bits"], granularity_name(trial.layer_spec.weights))
            found.setdefault(key, {}).setdefault(facts["scope"], {str(name): value for name, value in record.items()})
    order = {name: place for place, name in enumerate(run.header.model.layers)}
    lines = [LayerLine(*key, records) for key, records in _joined(found).items()]
    return tuple(sorted(lines, key=lambda line: (order.get(line.layer, len(order)), line.recipe, -line.bits)))


def _joined(found: dict[Key, dict[str, dict[str, Any]]]) -> dict[Key, dict[str, dict[str, Any]]]:
    """Return the lines with those of activations alone beside those of weights, whose granularity they do not have."""
    alone = {key: records for key, records in found.items() if not key[3]}
    joined = {key: records | alone.get((*key[:3], ""), {}) for key, records in found.items() if key[3]}
    beside = {key[:3] for key in joined}
    return joined | {key: records for key, records in alone.items() if key[:3] not in beside}


def measures(run: NetworkRun) -> dict[str, tuple[str, int]]:
    """Return the columns that say how much a layer matters, with headings and digits: the score, SQNR, KL."""
    task = load_task(run.header.suite.task)
    first = (task.loss.name, (f"{task.loss_word}, {task.loss.unit}", 2)) if task.loss else None
    found = dict([first] if first else [])
    return found | {"logit_sqnr_db": ("SQNR, dB", 1), "logit_kl_nats": ("KL, nats", 4)}
