"""From the losses of single layers to candidates: which layers together may give up how many bits. Not a plan yet.

Losses of single layers need not add up, and a sum of small ones says little: what is found here is to be scored as a
whole before anyone relies on it (`qbench.runner.own.joint`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from qbench.core.rules import Rule, name_rule
from qbench.core.spec import parse_spec
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError, suggest
from qbench.metrics import load_task
from qbench.results.index import frame
from qbench.results.reader import NetworkRun

_FREE = 1e-9
"""Points of a step that costs nothing, so that steps can be compared by bits per point."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What one layer lost alone.

    Args:
        layer: its name.
        weights: number of its weights.
        losses: spec -> points lost, the widest first.
    """

    layer: str
    weights: int
    losses: Mapping[str, float]

    def cost(self, spec: str) -> float:
        """Return the points that a spec is taken to cost: never below 0, nor below those of a wider one.

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
        drop_points: what that spec loses alone, or the least that any lost.
    """

    layer: str
    spec: str
    drop_points: float


def single_rows(run: NetworkRun, *, sweep: str = "") -> list[TrialResult]:
    """Return the rows of single layers of one sweep and recipe.

    Args:
        run: a run with a sweep of `layers: each`, or of some layers.
        sweep: the sweep to read; the one that has single layers where it is left out.

    Raises:
        ResultsError: no sweep of the run tried single layers, or several did and none was named.
    """
    alone = [row for row in run.results if row.trial.layers != "all" and row.status == "ok"]
    if not alone:
        raise ResultsError(f"{run.folder}: expected a sweep with 'layers: each', got no row of a single layer")
    sweeps = list(dict.fromkeys(row.trial.sweep for row in alone))
    if sweep and sweep not in sweeps:
        raise ResultsError(f"{run.folder}: sweep '{sweep}' tried no single layers{suggest(sweep, sweeps)}")
    if not sweep and len(sweeps) > 1:
        raise ResultsError(f"{run.folder}: expected one sweep of single layers, got {', '.join(sweeps)}; name one")
    rows = [row for row in alone if row.trial.sweep == (sweep or sweeps[0])]
    recipes = list(dict.fromkeys(row.trial.recipe for row in rows))
    if len(recipes) > 1:
        raise ResultsError(f"{run.folder}: expected single layers of one recipe, got {', '.join(recipes)}")
    return rows


def ladders(run: NetworkRun, *, sweep: str = "") -> tuple[Ladder, ...]:
    """Return what each layer that was tried alone lost, in the order of the network; see `single_rows`.

    Raises:
        ResultsError: there are no such rows, or scores that cannot be lost.
    """
    rows, loss = single_rows(run, sweep=sweep), loss_name(run)
    table = frame(run)
    table = table[(table["sweep"] == rows[0].trial.sweep) & (table["layers"] != "all") & (table["status"] == "ok")]
    order = {name: place for place, name in enumerate(run.header.model.layers)}
    names = sorted(dict.fromkeys(table["layers"]), key=lambda name: order.get(name, len(order)))
    sizes = {
        str(layer["name"]): int(layer["channels"] or 0) * int(layer["depth"] or 0)
        for row in rows
        for layer in row.layer_rows
        if "channels" in layer and "depth" in layer
    }
    return tuple(_ladder(name, sizes.get(name, 1), table[table["layers"] == name], loss) for name in names)


def loss_name(run: NetworkRun) -> str:
    """Return the column that says what a row lost against fp32; raise ResultsError where scores cannot be lost."""
    loss = load_task(run.header.suite.task).loss
    if loss is None:
        raise ResultsError(f"{run.folder}: expected scores to lose against fp32, got task '{run.header.suite.task}'")
    return loss.name


def _ladder(layer: str, weights: int, rows: pd.DataFrame, loss: str) -> Ladder:
    means = rows.groupby("spec")[loss].mean()
    widest_first = sorted(map(str, means.index), key=lambda spec: (-_bits(spec), spec))
    return Ladder(layer, weights, {spec: float(means[spec]) for spec in widest_first})


def moves(found: Sequence[Ladder], *, points: float, fallback: str) -> tuple[tuple[str, str], ...]:
    """Return layers and the specs that they go to, in order, while what they cost alone sums to at most `points`.

    From the fallback on, the step with the most bits saved for a point comes next; a layer may come again.
    """
    taken: dict[str, str] = {}
    order: list[tuple[str, str]] = []
    left = points
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
    bits, cost = _bits(here or fallback), ladder.cost(here) if here else 0.0
    return [
        (spec, (float((bits - _bits(spec)) * ladder.weights), ladder.cost(spec) - cost))
        for spec in ladder.losses
        if _bits(spec) < bits
    ]


def _choice(ladder: Ladder, spec: str) -> LayerChoice:
    return LayerChoice(ladder.layer, spec, ladder.losses[spec] if spec else min(ladder.losses.values()))


def _bits(token: str) -> int:
    return parse_spec(token).weights.format.bits


def rules_of(found: Sequence[LayerChoice], *, activations: str, fallback: str) -> tuple[Rule, ...]:
    """Return a rule for each layer.

    Args:
        found: from `chosen`.
        activations: right half of the specs, e.g. `a8t`, for layers of which only the weights were tried.
        fallback: spec of layers that keep it.
    """
    rules = []
    for choice in found:
        spec = choice.spec or fallback
        if spec.endswith("-a32") and activations:
            spec = f"{spec.removesuffix('-a32')}-{activations}"
        rules.append(name_rule(choice.layer, spec))
    return tuple(rules)


def overrides_text(found: Sequence[LayerChoice], rules: Sequence[Rule]) -> str:
    """Return the mapping `overrides:` of a suite, one layer per line with what it loses alone."""
    lines = ["overrides:"]
    for choice, rule in zip(found, rules, strict=True):
        lost = f"loses {choice.drop_points:.2f} points alone" if choice.drop_points > 0 else "no loss was seen alone"
        remark = lost if choice.spec else "keeps its bits"
        lines.append(f"  {json.dumps(rule.pattern, ensure_ascii=False)}: {rule.spec}  # {remark}")
    return "\n".join(lines)
