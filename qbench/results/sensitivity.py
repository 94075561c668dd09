"""From what single layers lose to candidates: which layers together may give up how many bits. Not a plan yet.

Losses of single layers need not add up, and a sum of small ones says little: what is found here is to be scored as a
whole before anyone relies on it (`qbench.runner.own.joint`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pandas as pd

from qbench.core.rules import Rule, name_rule
from qbench.core.spec import parse_spec
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError, suggest
from qbench.metrics import load_task
from qbench.results.index import frame
from qbench.results.reader import NetworkRun

_FREE = 1e-9
"""Cost of a step that costs nothing, so that steps can be compared by bits for their cost."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a layer's loss is measured by; costs of layers are taken to add up, roughly.

    Args:
        word: `score`, `kl` or `sqnr`.
        column: of the frame, "" for what the task's score lost.
    """

    word: str
    column: str

    def cost(self, value: Any) -> float:
        """Return a value of the column as a cost: points, nats, or the power of the error as a share of fp32's.

        Answers that equal fp32's to the bit have no SQNR, and cost nothing.
        """
        if value is None or pd.isna(value):
            return 0.0
        return float(10.0 ** (-value / 10.0) if self.word == "sqnr" else value)

    def text(self, cost: float) -> str:
        """Return a cost as people read it."""
        if self.word == "sqnr":
            return f"{-10.0 * math.log10(cost):.1f} dB of SQNR left" if cost > 0 else "no noise"
        return f"{cost:.4f} nats of KL" if self.word == "kl" else f"{cost:.2f} points"

    def limit(self, cost: float) -> str:
        """Return a limit as people read it."""
        return f"at least {self.text(cost)}" if self.word == "sqnr" else f"at most {self.text(cost)}"


MEASURES = {
    one.word: one for one in (Measure("score", ""), Measure("kl", "logit_kl_nats"), Measure("sqnr", "logit_sqnr_db"))
}


@dataclass(frozen=True, slots=True)
class Which:
    """Which rows of single layers are read; what is left out must be the same in all of them.

    Args:
        sweep: of the suite.
        recipe: canonical text.
        scope: `weights`, `activations` or `full`.
    """

    sweep: str = ""
    recipe: str = ""
    scope: str = ""


ANY = Which()


@dataclass(frozen=True, slots=True)
class Ladder:
    """What one layer lost alone.

    Args:
        layer: its name.
        weights: how much a bit of it counts: its weights, or its products where only activations were tried.
        losses: spec -> cost, the widest first.
    """

    layer: str
    weights: int
    losses: Mapping[str, float]

    def cost(self, spec: str) -> float:
        """Return what a spec is taken to cost: never below 0, nor below those of a wider one.

        A gain is noise of the samples, and so is a narrower spec that loses less.
        """
        seen = [lost for other, lost in self.losses.items() if _bits(other) >= _bits(spec)]
        return max(0.0, *seen)


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """What one layer is to become.

    Args:
        layer: its name.
        spec: the spec that was tried alone, "" where it keeps the fallback.
        cost: what that spec costs alone, or the least that any cost.
    """

    layer: str
    spec: str
    cost: float


def single_rows(run: NetworkRun, which: Which = ANY) -> list[TrialResult]:
    """Return the rows of single layers of one sweep, recipe and scope.

    Args:
        run: a run with a sweep of `layers: each`, or of some layers.
        which: of them.

    Raises:
        ResultsError: the run has no such rows, or rows of several sweeps, recipes or scopes and none was named.
    """
    rows = [row for row in run.results if row.trial.layers != "all" and row.status == "ok"]
    if not rows:
        raise ResultsError(f"{run.folder}: expected a sweep with 'layers: each', got no row of a single layer")
    for what, wanted, of in (
        ("sweep", which.sweep, lambda row: row.trial.sweep),
        ("recipe", which.recipe, lambda row: row.trial.recipe),
        ("scope", which.scope, lambda row: row.trial.layer_spec.scope),
    ):
        rows = _of_one(rows, of, what=what, wanted=wanted, run=run)
    return rows


def _of_one(
    rows: list[TrialResult], of: Callable[[TrialResult], str], *, what: str, wanted: str, run: NetworkRun
) -> list[TrialResult]:
    """Return the rows that agree in one thing: in what is wanted, or in the only one that there is.

    Layers may differ in their scope, as long as each was tried in one.
    """
    known = list(dict.fromkeys(map(of, rows)))
    tried = {(row.trial.layers, of(row)) for row in rows}
    if what == "scope" and not wanted and len(tried) == len({layer for layer, _ in tried}):
        return rows
    if wanted and wanted not in known:
        raise ResultsError(f"{run.folder}: {what} '{wanted}' tried no single layers{suggest(wanted, known)}")
    if not wanted and len(known) > 1:
        raise ResultsError(f"{run.folder}: expected single layers of one {what}, got {', '.join(known)}; name one")
    return [row for row in rows if of(row) == (wanted or known[0])]


def ladders(run: NetworkRun, which: Which = ANY, *, measure: str = "score") -> tuple[Ladder, ...]:
    """Return what each layer that was tried alone cost, in the order of the network; see `single_rows`.

    Raises:
        ResultsError: there are no such rows, or none of them has the measure.
    """
    rows, table = single_rows(run, which), frame(run).set_index("key")
    column = measured_column(run, measure)
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if column not in table:
            raise ResultsError(f"{run.folder}: rows have no {column} to compare layers by")
        cost = MEASURES[measure].cost(table.at[row.trial.key, column])
        found.setdefault(row.trial.layers, {}).setdefault(row.trial.spec, []).append(cost)
    order = {name: place for place, name in enumerate(run.header.model.layers)}
    names = sorted(found, key=lambda name: order.get(name, len(order)))
    sizes = {str(layer["name"]): _size(layer, rows[0]) for row in rows for layer in row.layer_rows}
    return tuple(_ladder(name, sizes.get(name, 1), found[name]) for name in names)


def _size(layer: Mapping[str, str | float | int | None], row: TrialResult) -> int:
    """Return how much a bit of a layer counts."""
    if row.trial.layer_spec.scope == "activations":
        return int(layer.get("operations") or 1)
    return int(layer.get("channels") or 0) * int(layer.get("depth") or 0) or 1


def measured_column(run: NetworkRun, measure: str) -> str:
    """Return the column of a measure; raise ResultsError where a score is to be lost and scores cannot be."""
    column, loss = MEASURES[measure].column, load_task(run.header.suite.task).loss
    if not column and loss is None:
        task = run.header.suite.task
        raise ResultsError(f"{run.folder}: task '{task}' has no score to lose against fp32: ask for --nats or --db")
    return column or (loss.name if loss else "")


def _ladder(layer: str, weights: int, costs: Mapping[str, Sequence[float]]) -> Ladder:
    widest_first = sorted(costs, key=lambda spec: (-_bits(spec), spec))
    return Ladder(layer, weights, {spec: fmean(costs[spec]) for spec in widest_first})


def moves(found: Sequence[Ladder], *, most: float, fallback: str) -> tuple[tuple[str, str], ...]:
    """Return layers and the specs that they go to, in order, while what they cost alone sums to at most `most`.

    From the fallback on, the step with the most bits saved for its cost comes next; a layer may come again.
    """
    taken: dict[str, str] = {}
    order: list[tuple[str, str]] = []
    left = most
    while True:
        steps = [(step, ladder, spec) for ladder in found for spec, step in _steps(ladder, taken, fallback)]
        fitting = [one for one in steps if one[0][1] <= left + _FREE]
        if not fitting:
            return tuple(order)
        (_, cost), ladder, spec = max(fitting, key=lambda one: (one[0][0] / max(one[0][1], _FREE), one[0][0]))
        taken[ladder.layer] = spec
        order.append((ladder.layer, spec))
        left -= cost


def chosen(found: Sequence[Ladder], order: Sequence[tuple[str, str]]) -> tuple[LayerChoice, ...]:
    """Return what each layer is after some moves."""
    taken = dict(order)
    return tuple(_choice(ladder, taken.get(ladder.layer, "")) for ladder in found)


def _steps(ladder: Ladder, taken: Mapping[str, str], fallback: str) -> list[tuple[str, tuple[float, float]]]:
    """Return each narrower spec of a layer with the bits that it saves and the points that it costs from here."""
    here = taken.get(ladder.layer, "")
    wide = here or fallback
    cost = ladder.cost(here) if here else 0.0
    return [
        (spec, (float(saved * ladder.weights), ladder.cost(spec) - cost))
        for spec in ladder.losses
        if (saved := _saved(wide, spec)) > 0
    ]


def _choice(ladder: Ladder, spec: str) -> LayerChoice:
    return LayerChoice(ladder.layer, spec, ladder.losses[spec] if spec else min(ladder.losses.values()))


def _saved(wide: str, narrow: str) -> int:
    """Return the bits that the second spec saves of what it quantizes: weights, or else activations."""
    of, by = parse_spec(wide), parse_spec(narrow)
    if by.weights.is_float:
        return of.activations.format.bits - by.activations.format.bits
    return of.weights.format.bits - by.weights.format.bits


def _bits(token: str) -> int:
    """Return the bits of weights, or of activations where only they are quantized."""
    spec = parse_spec(token)
    return (spec.activations if spec.weights.is_float else spec.weights).format.bits


def rules_of(found: Sequence[LayerChoice], *, activations: str, fallback: str) -> tuple[Rule, ...]:
    """Return a rule for each layer.

    Args:
        found: from `chosen`.
        activations: right half of the specs, e.g. `a8t`, for layers of which only the weights were tried.
        fallback: spec of layers that keep it; its left half goes with activations that were tried alone.
    """
    rules = []
    for choice in found:
        spec = choice.spec or fallback
        if spec.endswith("-a32") and activations:
            spec = f"{spec.removesuffix('-a32')}-{activations}"
        elif spec.startswith("w32-"):
            spec = f"{fallback.partition('-')[0]}-{spec.partition('-')[2]}"
        rules.append(name_rule(choice.layer, spec))
    return tuple(rules)


def overrides_text(found: Sequence[LayerChoice], rules: Sequence[Rule], *, measure: str = "score") -> str:
    """Return the mapping `overrides:` of a suite, one layer per line with what it costs alone."""
    lines = ["overrides:"]
    for choice, rule in zip(found, rules, strict=True):
        said = "" if measure == "sqnr" else "loses "
        lost = f"{said}{MEASURES[measure].text(choice.cost)} alone" if choice.cost > 0 else "no loss was seen alone"
        remark = lost if choice.spec else "keeps its bits"
        lines.append(f"  {json.dumps(rule.pattern, ensure_ascii=False)}: {rule.spec}  # {remark}")
    return "\n".join(lines)
