"""Layer x bits: what it costs to quantize one layer and keep the others in fp32."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.rows import Row
from qbench.report.style import BLUE, GREY, INK, MUTED, ORANGE, Layout, Margins, panels
from qbench.report.view import WIDTHS, RunView
from qbench.report.words import number

Cells = dict[tuple[str, str], Row]
Losses = dict[tuple[str, str], tuple[float, float | None, int]]
"""(layer, column) -> what was lost, the p of "nothing", and the row's line."""


def plot(view: RunView) -> Plot | None:
    """Return the heat map of the drop of each layer at each spec, or None without single-layer rows."""
    cells: Cells = {}
    for row in view.single_layers:
        cells.setdefault((row.result.trial.layers, _column(row, view)), row)
    layers = [name for name in view.header.model.layers if any(layer == name for layer, _ in cells)]
    columns = sorted({column for _, column in cells}, key=lambda c: _rank(cells, c))
    if not layers:
        return None
    task, worst = view.task, max(cells.values(), key=lambda row: _lost(view, row))
    p = worst.value(task.p_name)
    title = "No single layer costs accuracy that this many images can show"
    if p is not None and p < 0.05:
        title = (
            f"The most sensitive layer is {worst.result.trial.layers}: alone at {worst.result.trial.spec} it costs "
            f"{number(_lost(view, worst), 1 if task.binary else 2)} {task.unit_of_change}"
        )
    lost_words, test = task.lost_words, "McNemar's p" if task.binary else "p"
    what = f"{lost_words[0].upper()}{lost_words[1:]}"
    subtitle = (
        f"{view.conditions}. {what} when one layer alone is quantized; bold where {test} < 0.05. "
        "Layers from input to output."
    )
    lost = {at: (_lost(view, row), row.value(task.p_name), row.line) for at, row in cells.items()}
    return Plot("sensitivity", title, subtitle, lambda layout: _draw(lost, layers, columns, layout, title, subtitle))


def _lost(view: RunView, row: Row) -> float:
    metric = view.lost(row)
    return (metric.value or 0.0) if metric else 0.0


def _column(row: Row, view: RunView) -> str:
    several = len({other.method for other in view.single_layers}) > 1
    return f"{row.result.trial.spec} {row.method}" if several else row.result.trial.spec


def _rank(cells: Cells, column: str) -> tuple[str, int, str]:
    row = next(row for (_, name), row in cells.items() if name == column)
    return row.spec.scope, WIDTHS.index(row.width), column


def _draw(
    cells: Losses, layers: Sequence[str], columns: Sequence[str], layout: Layout, title: str, subtitle: str
) -> Figure:
    right = max(0.25, layout.width_in - 1.3 - 1.9 * len(columns))
    margins = Margins(height=0.235 * len(layers), left=1.3, right=right, top=0.42, bottom=0.12)
    figure, (axes,) = panels(layout, margins, count=1, title=title, subtitle=subtitle)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    largest = max(1.0, *(drop for drop, _, _ in cells.values()))
    for (layer, column), (drop, p, line) in cells.items():
        box = _draw_cell(axes, (columns.index(column), layers.index(layer)), drop, p, largest)
        name_marks(box, [[line]])
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(layers), 0)
    axes.xaxis.tick_top()
    names = [column.removesuffix("-a32") for column in columns]
    axes.set_xticks([i + 0.5 for i in range(len(columns))], names)
    axes.set_yticks([i + 0.5 for i in range(len(layers))], layers)
    axes.tick_params(axis="both", colors=INK, labelsize=8)
    if layout.narrow and len(columns) > 5:
        axes.tick_params(axis="x", labelrotation=35)
    return figure


def _draw_cell(axes: Axes, at: tuple[int, int], drop: float, p: float | None, largest: float) -> Rectangle:
    strength = min(1.0, (abs(drop) / largest) ** 0.5)
    colour = ORANGE if drop > 0 else BLUE if drop < 0 else GREY
    box = Rectangle((at[0] + 0.01, at[1] + 0.05), 0.98, 0.9, facecolor=colour, alpha=0.06 + 0.8 * strength, linewidth=0)
    axes.add_patch(box)
    significant = p is not None and p < 0.05
    dark = strength > 0.72
    axes.text(
        at[0] + 0.5, at[1] + 0.52, number(drop, 1 if abs(drop) >= 10 else 2), ha="center", va="center", fontsize=7.5,
        color="#ffffff" if dark else INK if significant else MUTED, fontweight="bold" if significant else "normal",
    )  # fmt: skip
    return box
