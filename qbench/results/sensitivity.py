"""From the sensitivity of single layers to rules: the narrowest spec that each layer tolerates, ready to be pasted."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from qbench.core.spec import parse_spec
from qbench.errors import ResultsError, suggest
from qbench.metrics import load_task
from qbench.results.index import frame
from qbench.results.reader import NetworkRun


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The narrowest spec that one layer tolerates.

    Args:
        layer: its name.
        spec: the narrowest spec within the allowed loss, "" if no spec that was tried is.
        drop_points: what that spec loses alone, or the least that any lost.
    """

    layer: str
    spec: str
    drop_points: float


def choices(run: NetworkRun, *, points: float, sweep: str = "") -> tuple[LayerChoice, ...]:
    """Return what each layer that was tried alone tolerates, in the order of the network.

    Args:
        run: a run with a sweep of `layers: each`, or of some layers.
        points: top-1 that a layer alone may lose.
        sweep: the sweep to read; the one that has single layers where it is left out.

    Raises:
        ResultsError: no sweep of the run tried single layers, or several did and none was named.
    """
    table = frame(run)
    alone = table[(table["layers"] != "all") & (table["status"] == "ok")]
    loss = load_task(run.header.suite.task).loss
    if loss is None:
        raise ResultsError(f"{run.folder}: expected scores to lose against fp32, got task '{run.header.suite.task}'")
    if loss.name not in alone or alone.empty:
        raise ResultsError(f"{run.folder}: expected a sweep with 'layers: each', got no row of a single layer")
    sweeps = list(dict.fromkeys(alone["sweep"]))
    if sweep and sweep not in sweeps:
        raise ResultsError(f"{run.folder}: sweep '{sweep}' tried no single layers{suggest(sweep, sweeps)}")
    if not sweep and len(sweeps) > 1:
        raise ResultsError(f"{run.folder}: expected one sweep of single layers, got {', '.join(sweeps)}; name one")
    rows = alone[alone["sweep"] == (sweep or sweeps[0])]
    order = {name: place for place, name in enumerate(run.header.model.layers)}
    names = sorted(dict.fromkeys(rows["layers"]), key=lambda name: order.get(name, len(order)))
    return tuple(_choice(name, rows[rows["layers"] == name], points, loss.name) for name in names)


def _choice(layer: str, rows: pd.DataFrame, points: float, loss: str) -> LayerChoice:
    losses = rows.groupby("spec")[loss].mean()
    borne = [str(spec) for spec, lost in losses.items() if lost <= points]
    if not borne:
        return LayerChoice(layer, "", float(losses.min()))
    spec = min(borne, key=_width)
    return LayerChoice(layer, spec, float(losses[spec]))


def _width(token: str) -> tuple[int, int]:
    spec = parse_spec(token)
    return spec.weights.format.bits, spec.activations.format.bits


def overrides_text(found: tuple[LayerChoice, ...], *, activations: str, fallback: str) -> str:
    """Return the mapping `overrides:` of a suite, one layer per line with what it loses alone.

    Args:
        found: from `choices`.
        activations: right half of the specs, e.g. `a8t`, for layers of which only the weights were tried.
        fallback: spec of layers that tolerate none of those tried.
    """
    lines = ["overrides:"]
    for choice in found:
        spec, remark = choice.spec or fallback, f"loses {choice.drop_points:.2f} points alone"
        if not choice.spec:
            remark = f"loses {choice.drop_points:.2f} points or more at every width that was tried"
        if spec.endswith("-a32") and activations:
            spec = f"{spec.removesuffix('-a32')}-{activations}"
        lines.append(f'  "{choice.layer}": {parse_spec(spec).token}  # {remark}')
    return "\n".join(lines)
