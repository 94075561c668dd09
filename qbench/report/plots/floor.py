"""Floor against rounding at equal bits: what half a step of bias costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.report.labels import label_ends
from qbench.report.plots import scale
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.style import MUTED, PAPER, Layout, Margins, method_style, narrower, panel_title, panels
from qbench.report.tables.floor import Pair, pairs
from qbench.report.view import WIDTHS, RunView, in_bits
from qbench.report.words import number


@dataclass(frozen=True, slots=True)
class _Line:
    """What one panel shows of each pair."""

    title: str
    column: str
    gap: bool


_SQNR = _Line("weight SQNR, dB", "weight_sqnr_db", gap=True)


def plot(view: RunView) -> Plot | None:
    """Return weight SQNR and the score of floor and rounding by bits, or None when fewer than two widths have both."""
    found = pairs(view)
    if len(found) < 2:
        return None
    gains = sorted(pair.gain_db for pair in found if pair.gain_db is not None)
    worst = max(found, key=lambda pair: pair.gain_points)
    of_what = f"{view.task.unit_of_change} of {view.task.title}"
    gain = f" gains {number(gains[len(gains) // 2], 1)} dB of weight SQNR, and" if gains else ""
    title = (
        f"Rounding instead of floor, at equal bits,{gain} up to {number(worst.gain_points, 1)} {of_what} "
        f"(at {in_bits(worst.width)})"
    )
    grain = found[0].rounded.granularity
    what = f"{found[0].panel}, {grain}" if grain else found[0].panel
    subtitle = f"{view.conditions}; {what}; minmax against linear_floor. {scale.note(view.task)}"
    return Plot("floor_against_rounding", title, subtitle, lambda layout: _draw(view, found, layout, title, subtitle))


def _draw(view: RunView, found: Sequence[Pair], layout: Layout, title: str, subtitle: str) -> Figure:
    margins = narrower(Margins(height=2.6, left=0.5, right=1.05), layout, left=0.42, right=1.05)
    primary = view.task.primary
    score = _Line(f"{view.task.title}, {primary.unit}", primary.name, gap=False)
    lines = [_SQNR, score] if found[0].gain_db is not None else [score]
    figure, axes = panels(layout, margins, count=len(lines), title=title, subtitle=subtitle)
    for line, one in zip(lines, axes, strict=True):
        _draw_line(one, line, found, view)
    return figure


def _draw_line(axes: Axes, line: _Line, found: Sequence[Pair], view: RunView) -> None:
    panel_title(axes, line.title)
    order = [width for width in WIDTHS if width in {pair.width for pair in found}]
    pairs_by_width = {pair.width: pair for pair in found}
    x = list(range(len(order)))
    rows = [[pairs_by_width[w].rounded for w in order], [pairs_by_width[w].floored for w in order]]
    rounded, floored = ([row.value(line.column) or 0.0 for row in each] for each in rows)
    axes.set_xlim(-0.35, len(order) - 0.75)
    axes.set_xticks(x, order)
    axes.set_xlabel("bits", fontsize=8, color=MUTED, labelpad=2)
    ends: list[tuple[float, float, str, str]] = []
    if line.gap:
        axes.set_ylim(min(0.0, *floored) - 4, max(rounded) * 1.12)
        axes.set_yticks(
            [tick for tick in range(-20, 101, 10) if tick >= min(floored) - 8 and tick <= max(rounded) * 1.1]
        )
    else:
        scale.stretch(axes, [*rounded, *floored], task=view.task, fp32=view.fp32_score)
        ends = scale.reference_lines(axes, view)
    sides = zip(rows, (rounded, floored), ("minmax", "linear_floor"), ("rounding", "floor"), strict=True)
    for each, values, method, name in sides:
        colour, marker = method_style(method)
        look: dict[str, Any] = {"color": colour, "marker": marker, "mec": PAPER, "mew": 0.7, "clip_on": False}
        (drawn,) = axes.plot(x, values, lw=1.7, ms=5, zorder=3, **look)
        name_marks(drawn, [[row.line] for row in each])
        ends.append((float(x[-1]), values[-1], name, colour))
    if line.gap:
        axes.vlines(x, floored, rounded, color=MUTED, lw=0.8, zorder=2)
        for place, low, high in zip(x, floored, rounded, strict=True):
            axes.annotate(
                f"{number(low - high, 1)}", (place, low), xytext=(0, -13), textcoords="offset points",
                fontsize=7.5, color=MUTED, ha="center",
            )  # fmt: skip
    label_ends(axes, ends)
