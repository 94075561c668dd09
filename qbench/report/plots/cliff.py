"""One scale per tensor against one per channel, by bits: where the run falls, beside published sweeps of that kind.

The networks and their data differ, so shapes are compared and not figures: per channel holds longer than per tensor,
and networks of depthwise layers fall off earlier than others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.core.formats import Uniform
from qbench.core.granularity import PerChannel, PerTensor
from qbench.report.labels import label_ends
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.published import BREVITAS, PLAIN, WITH_GPTQ, WidthSweep
from qbench.report.rows import Row
from qbench.report.style import BLUE, INK, MUTED, ORANGE, PAPER, Layout, Margins, panel_title, panels
from qbench.report.view import RunView
from qbench.report.words import number

_LEAST_WIDTHS = 3
_ENOUGH = 500
"""Samples below which a share right says less than the SQNR of the answers."""
_LETTERS = 34
"""Of a panel's title: more do not fit a phone's width."""
_LOOKS = {"per tensor": (ORANGE, "s"), "per channel": (BLUE, "o")}
Curve = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class _Panel:
    """Two curves: what is lost in points, or decibels that are left, by bits."""

    title: str
    unit: str
    curves: Mapping[str, Curve]
    lines: Mapping[str, Sequence[int]]

    @property
    def lost(self) -> bool:
        """Whether less is better."""
        return self.unit == "points lost"


def plot(view: RunView) -> Plot | None:
    """Return the run's two curves beside the published ones; None without three widths of both granularities."""
    found = _swept(view)
    if found is None:
        return None
    recipe, rows = found
    binary = view.task.loss is not None and view.task.binary and view.header.data.images >= _ENOUGH
    own = _Panel(
        f"this run: {view.header.model.name}"[:_LETTERS],
        "points lost" if binary else "SQNR of the answers, dB",
        {name: [(bits, _value(view, row, binary)) for bits, row in each.items()] for name, each in rows.items()},
        {name: [row.line for row in each.values()] for name, each in rows.items()},
    )
    others = WITH_GPTQ if "gptq" in recipe else PLAIN
    drawn = [own, *(_published(one) for one in others)]
    title = _title(own)
    beside = "with GPTQ" if others is WITH_GPTQ else "without GPTQ"
    subtitle = (
        f"{view.conditions}; {recipe}, activations at 8 bits. Beside it, on ImageNet, {BREVITAS}, equalized and "
        f"bias-corrected {beside}: other networks and data, so compare shapes.{_honest(view, binary)}"
    )
    return Plot("granularity_cliff", title, subtitle, lambda layout: _draw(drawn, layout, title, subtitle))


def _swept(view: RunView) -> tuple[str, dict[str, dict[int, Row]]] | None:
    """Return the recipe with the most widths of both granularities, and its rows by bits, widest first."""
    found: dict[str, dict[str, dict[int, Row]]] = {}
    for row in view.network:
        spec = row.spec
        names = {PerTensor: "per tensor", PerChannel: "per channel"}
        name = names.get(type(spec.weights.granularity))
        plain = isinstance(spec.weights.format, Uniform) and spec.activations.format.bits == 8
        if name and plain and row.is_even:
            recipe = found.setdefault(row.recipe, {one: {} for one in _LOOKS})
            recipe[name].setdefault(spec.weights.format.bits, row)
    shared = {recipe: _shared(each) for recipe, each in found.items()}
    best = max(shared, key=lambda recipe: (len(shared[recipe]["per tensor"]), "gptq" in recipe), default="")
    return (best, shared[best]) if best and len(shared[best]["per tensor"]) >= _LEAST_WIDTHS else None


def _shared(each: Mapping[str, Mapping[int, Row]]) -> dict[str, dict[int, Row]]:
    """Return the widths that both granularities have, widest first."""
    bits = sorted(set.intersection(*(set(rows) for rows in each.values())), reverse=True)
    return {name: {width: rows[width] for width in bits} for name, rows in each.items()}


def _value(view: RunView, row: Row, binary: bool) -> float:
    if binary:
        metric = view.lost(row)
        return (metric.value or 0.0) if metric else 0.0
    return row.value("logit_sqnr_db") or 0.0


def _published(one: WidthSweep) -> _Panel:
    curves = {
        name: [(bits, one.fp32 - score) for bits, score in scores.items()]
        for name, scores in (("per tensor", one.tensor), ("per channel", one.channel))
    }
    kind = "depthwise" if one.depthwise else "not depthwise"
    return _Panel(f"Brevitas: {one.network}, {kind}", "points lost", curves, {})


def _title(own: _Panel) -> str:
    """Return the widest gap between the granularities."""
    pairs = zip(own.curves["per tensor"], own.curves["per channel"], strict=True)
    gaps = {bits: (tensor - channel) if own.lost else (channel - tensor) for (bits, tensor), (_, channel) in pairs}
    bits = max(gaps, key=lambda width: gaps[width])
    unit, widest = "points" if own.lost else "dB", max(gaps)
    return (
        f"A scale for each channel is worth {number(gaps[bits], 1)} {unit} at {bits} bits, "
        f"{number(gaps[widest], 1)} at {widest}"
    )


def _honest(view: RunView, binary: bool) -> str:
    if binary:
        return ""
    if any("seeded" in note for row in view.rows for note in row.result.notes):
        return " The weights of this network were drawn, so its panel shows decibels: there is no accuracy in it."
    if not view.task.binary:
        return f" {view.task.title} is no share right, so this run's panel shows decibels."
    return f" {view.header.data.images} samples are too few for a share right, so this run's panel shows decibels."


def _draw(drawn: Sequence[_Panel], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = Margins(height=2.3, left=0.5, right=0.85, top=0.4, bottom=0.42)
    figure, axes = panels(layout, margins, count=len(drawn), title=title, subtitle=subtitle, columns=3)
    for panel, one in zip(drawn, axes, strict=True):
        _draw_panel(one, panel)
    return figure


def _draw_panel(axes: Axes, panel: _Panel) -> None:
    panel_title(axes, panel.title)
    axes.set_xlabel(f"bits of weights; {panel.unit}", fontsize=8, color=MUTED, labelpad=2)
    widths = sorted({bits for curve in panel.curves.values() for bits, _ in curve}, reverse=True)
    values = [value for curve in panel.curves.values() for _, value in curve]
    axes.set_xlim(widths[0] + 0.3, widths[-1] - 0.3)
    axes.set_xticks(widths)
    margin = 0.06 * max(max(values) - min(values), 1.0)
    ends = min(0.0, *values) - margin, max(values) + margin
    axes.set_ylim(*(reversed(ends) if panel.lost else ends))
    if panel.lost:
        axes.axhline(0.0, color=INK, lw=0.8)
    labels = []
    for name, curve in panel.curves.items():
        colour, marker = _LOOKS[name]
        (line,) = axes.plot(
            [bits for bits, _ in curve], [value for _, value in curve], color=colour, marker=marker, lw=1.7, ms=5,
            mec=PAPER, mew=0.7, clip_on=False,
        )  # fmt: skip
        if panel.lines:
            name_marks(line, [[number] for number in panel.lines[name]])
        labels.append((float(curve[-1][0]), curve[-1][1], name, colour))
    label_ends(axes, labels)
