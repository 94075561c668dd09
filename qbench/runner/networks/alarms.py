"""Alarms: things about a row that look wrong, whatever its score says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qbench.core.formats import Uniform
from qbench.core.granularity import Dynamic
from qbench.core.tensor import Floats, QParams
from qbench.methods.activation_stats import ActivationStats
from qbench.metrics.task import Outputs

SATURATED = 0.10


def output_alarms(logits: Floats, outputs: Outputs = "classes") -> list[str]:
    """Return what is wrong with the outputs (n, m): not finite, or of classes and always the same guess."""
    if not np.all(np.isfinite(logits)):
        return ["logits are not finite"]
    if outputs != "classes":
        return []
    guesses = np.argmax(logits, axis=1)
    if len(guesses) > 1 and np.all(guesses == guesses[0]):
        return [f"constant output: every image is class {guesses[0]}"]
    return []


def range_alarms(params: Mapping[str, QParams], stats: Mapping[str, ActivationStats]) -> list[str]:
    """Return what is wrong with the ranges of uniform activations, as seen on the calibration images.

    Ternary and binary codes have no range to saturate: nearly every number lies outside their levels.
    """
    found = []
    for name, chosen in params.items():
        held = held_by(chosen)
        if held is None:
            continue
        low, high = held
        half_step = 0.5 * float(chosen.scale)
        share = outside_share(stats[name], low - half_step, high + half_step)
        if share > SATURATED:
            found.append(f"{name}: {100 * share:.0f} % of the activations saturate")
        if low >= 0.0 > stats[name].minimum + half_step and -stats[name].minimum > 0.01 * stats[name].maximum:
            found.append(f"{name}: the range lost its sign, activations reach down to {stats[name].minimum:.3g}")
        if not low - half_step <= 0.0 <= high + half_step:
            found.append(f"{name}: the range {low:.3g} .. {high:.3g} lost its zero")
    return found


def held_by(params: QParams) -> tuple[float, float] | None:
    """Return the lowest and the highest number of uniform codes of one range, None where there is no such range."""
    kind = params.spec.format
    if not isinstance(kind, Uniform) or params.scale.ndim or isinstance(params.spec.granularity, Dynamic):
        return None
    scale, zero_point = float(params.scale), float(params.zero_point)
    return scale * (kind.qmin - zero_point), scale * (kind.qmax - zero_point)


def outside_share(stats: ActivationStats, low: float, high: float) -> float:
    """Return the share of the numbers seen that lie outside low..high, to the width of a histogram's bin."""
    outside = (stats.centers < low) | (stats.centers > high)
    return float(stats.counts[outside].sum()) / stats.count
