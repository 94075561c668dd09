"""Layer x bits: what it costs to quantize one layer and keep the others in fp32, beside how large each layer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.rows import Row
from qbench.report.style import BLUE, GREY, INK, MUTED, ORANGE, Layout, Margins, panels
from qbench.report.view import WIDTHS, RunView
from qbench.report.words import interval, number
from qbench.results.judge import holm

_ALPHA = 0.05
_FAINTEST, _STRONGEST = 0.15, 0.5
"""Opacity of a ground that means something; on the deepest, ink still has a contrast of 4.5 to 1, light and dark."""
_WITH_INTERVAL_IN, _LETTER_IN = 1.2, 0.066
"""Width of a cell that has room for an interval, and of a letter of a name."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What is drawn.

    Args:
        view: the run.
        layers: from input to output.
        columns: specs, with their recipe where there are several.
        cells: (layer, column) -> the row.
        p: (layer, column) -> p of "nothing was lost", corrected for all cells; cells without a test are missing.
        shares: what of the network -> layer -> its share, 0 to 1.
    """

    view: RunView
    layers: Sequence[str]
    columns: Sequence[str]
    cells: Mapping[tuple[str, str], Row]
    p: Mapping[tuple[str, str], float]
    shares: Mapping[str, Mapping[str, float]]

    def lost(self, at: tuple[str, str]) -> float:
        """Return what a cell lost against fp32; below 0 for a gain."""
        metric = self.view.lost(self.cells[at])
        return (metric.value or 0.0) if metric else 0.0

    def is_shown(self, at: tuple[str, str]) -> bool:
        """Whether a test tells what a cell lost from nothing."""
        return self.p.get(at, 1.0) < _ALPHA


def plot(view: RunView) -> Plot | None:
    """Return the heat map of the drop of each layer at each spec, or None without single-layer rows."""
    cells: dict[tuple[str, str], Row] = {}
    for row in view.single_layers:
        cells.setdefault((row.result.trial.layers, _column(row, view)), row)
    layers = [name for name in view.header.model.layers if any(layer == name for layer, _ in cells)]
    if not layers:
        return None
    columns = sorted({column for _, column in cells}, key=lambda c: _rank(cells, c))
    tested = {at: p for at, row in cells.items() if (p := row.value(view.task.p_name)) is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    found = HeatMap(view, layers, columns, cells, corrected, _shares(layers, next(iter(cells.values()))))
    words, test = view.task.lost_words, "McNemar's p" if view.task.binary else "p"
    beside = f" Bars: each layer's share of {' and of '.join(found.shares)}." if found.shares else ""
    subtitle = (
        f"{view.conditions}. {words[0].upper()}{words[1:]} when one layer alone is quantized, with paired 95 % "
        f"intervals where there is room. Bold on orange a loss, on blue a gain, where {test} < {_ALPHA} after Holm's "
        f"correction; the rest is noise.{beside} Layers from input to output."
    )
    title = _title(found)
    return Plot("sensitivity", title, subtitle, lambda layout: _draw(found, layout, title, subtitle))


def _title(found: HeatMap) -> str:
    task, worst = found.view.task, max(found.cells, key=found.lost)
    if not found.is_shown(worst):
        return "No single layer costs accuracy that this many images can show"
    return (
        f"The most sensitive layer is {worst[0]}: alone at {found.cells[worst].result.trial.spec} it costs "
        f"{number(found.lost(worst), 1 if task.binary else 2)} {task.unit_of_change}"
    )


def _column(row: Row, view: RunView) -> str:
    several = len({other.recipe for other in view.single_layers}) > 1
    return f"{row.result.trial.spec} {row.recipe}" if several else row.result.trial.spec


def _rank(cells: Mapping[tuple[str, str], Row], column: str) -> tuple[str, int, str]:
    row = next(row for (_, name), row in cells.items() if name == column)
    return row.spec.scope, WIDTHS.index(row.width), column


def _shares(layers: Sequence[str], row: Row) -> dict[str, dict[str, float]]:
    """Return each layer's share of the weights and of the multiply-adds, of those of the two that a row knows."""
    facts = {str(one["name"]): one for one in row.result.layer_rows}
    found: dict[str, dict[str, float]] = {}
    for heading, keys in (("weights", ("channels", "depth")), ("multiply-adds", ("operations",))):
        sizes = {}
        for name, one in facts.items():
            first, *others = (float(one.get(key) or 0.0) for key in keys)
            sizes[name] = first * (others[0] if others else 1.0)
        total = sum(sizes.values())
        if total and all(sizes.get(name) for name in layers):
            found[heading] = {name: sizes[name] / total for name in layers}
    return found


def _draw(found: HeatMap, layout: Layout, title: str, subtitle: str) -> Figure:
    left = 0.2 + _LETTER_IN * max(map(len, found.layers))
    margins = Margins(height=0.235 * len(found.layers), left=left, right=0.25, top=0.42, bottom=0.12)
    figure, (axes,) = panels(layout, margins, count=1, title=title, subtitle=subtitle)
    wide = layout.width_in - left - margins.right
    bar = (0.45 if layout.narrow else 1.25) if found.shares else 0.0
    cell = (wide - bar * len(found.shares)) / len(found.columns)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, wide)
    axes.set_ylim(len(found.layers), 0)
    largest = max(1.0, *(abs(found.lost(at)) for at in found.cells))
    for at in found.cells:
        _draw_cell(axes, found, at, cell, largest)
    for place, shares in enumerate(found.shares.values()):
        _draw_bars(axes, found, shares, (cell * len(found.columns) + bar * place + 0.08, bar - 0.08))
    _name_axes(axes, found, layout, cell, bar)
    return figure


def _name_axes(axes: Axes, found: HeatMap, layout: Layout, cell: float, bar: float) -> None:
    names = [column.removesuffix("-a32") for column in found.columns]
    places = [cell * (place + 0.5) for place in range(len(names))]
    headings = ["MACs" if layout.narrow and name == "multiply-adds" else name for name in found.shares]
    start = cell * len(names)
    axes.xaxis.tick_top()
    axes.set_xticks([*places, *(start + bar * (place + 0.5) for place in range(len(headings)))], [*names, *headings])
    axes.set_yticks([place + 0.5 for place in range(len(found.layers))], found.layers)
    axes.tick_params(axis="both", colors=INK, labelsize=7 if layout.narrow else 8)
    if layout.narrow and len(names) > 2:
        axes.tick_params(axis="x", labelrotation=35)


def _draw_cell(axes: Axes, found: HeatMap, at: tuple[str, str], width: float, largest: float) -> None:
    x, y = width * found.columns.index(at[1]), found.layers.index(at[0])
    lost, shown = found.lost(at), found.is_shown(at)
    strength = _FAINTEST + (_STRONGEST - _FAINTEST) * (abs(lost) / largest) ** 0.5
    colour = (ORANGE if lost > 0 else BLUE) if shown else GREY
    box = Rectangle(
        (x + 0.02, y + 0.05), width - 0.04, 0.9, facecolor=colour, alpha=strength if shown else 0.06, linewidth=0
    )
    axes.add_patch(box)
    name_marks(box, [[found.cells[at].line]])
    digits = 1 if abs(lost) >= 10 else 2
    text, metric = number(lost, digits), found.view.lost(found.cells[at])
    if width >= _WITH_INTERVAL_IN and metric is not None and metric.low is not None:
        text += f"  [{interval(metric, digits)}]"
    axes.text(
        x + width / 2, y + 0.52, text, ha="center", va="center", fontsize=7.5 if width > 0.33 else 6.0,
        color=INK if shown else MUTED, fontweight="bold" if shown else "normal",
    )  # fmt: skip


def _draw_bars(axes: Axes, found: HeatMap, shares: Mapping[str, float], at: tuple[float, float]) -> None:
    """Draw the shares as bars from `at[0]`, the longest `at[1]` less the room of its number, all in inches."""
    start, room = at
    scale = max(room - 0.42, 0.0) / max(shares.values())
    for place, layer in enumerate(found.layers):
        axes.barh(place + 0.5, scale * shares[layer], left=start, height=0.6, color=GREY, alpha=0.5)
        axes.text(
            start + scale * shares[layer] + 0.04, place + 0.52, f"{number(100 * shares[layer], 1)} %",
            va="center", fontsize=7 if scale else 6.5, color=MUTED,
        )  # fmt: skip
