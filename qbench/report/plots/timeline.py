"""An image's way through the network as a timeline: one bar per step, its time per image, coloured by what it is."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.report.plots.plot import Plot
from qbench.report.style import BLUE, GREY, GRID, INK, MUTED, ORANGE, Layout, Margins, panels
from qbench.report.words import number
from qbench.results.kept.quantized import QuantizedResult, Role, StepTime
from qbench.results.kept.why import step_ceiling_share

_LOOK: dict[Role, tuple[str, str]] = {
    "product": (BLUE, "products"),
    "conversion": (ORANGE, "conversions between number formats"),
    "other": (GREY, "additions, pooling and the like"),
}
_ROW_IN = 0.17
_LETTER_IN = 0.062


def plot(result: QuantizedResult) -> Plot | None:
    """Return the timeline, or None where no step was timed."""
    steps = result.product.steps
    if not steps:
        return None
    total_s = sum(step.image_s for step in steps)
    products_s = sum(step.image_s for step in steps if step.role == "product")
    slowest = max(steps, key=lambda step: step.image_s)
    title = (
        f"Products take {number(100 * products_s / total_s, 1)}\N{NO-BREAK SPACE}% of the steps' time; "
        f"the longest step, {slowest.name}, {number(100 * slowest.image_s / total_s, 0)}\N{NO-BREAK SPACE}%"
    )
    counts = sorted({step.images for step in steps})
    taken = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    subtitle = (
        f"{result.model.name}, {result.row.trial.spec}, {result.row.trial.method}: an image on one thread, taken "
        f"{taken} at a time, medians; beside a bar its share of the time, and of one core's ceiling for all products "
        "of direct convolutions."
    )
    return Plot("timeline", title, subtitle, lambda layout: _draw(result, layout, title, subtitle))


def _draw(result: QuantizedResult, layout: Layout, title: str, subtitle: str) -> Figure:
    left = min(2.6, 0.35 + _LETTER_IN * max(len(step.name) for step in result.product.steps))
    margins = Margins(height=_ROW_IN * len(result.product.steps) + 0.1, left=left, right=1.0, top=0.35, bottom=0.5)
    figure, (axes,) = panels(layout, margins, count=1, title=title, subtitle=subtitle)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    total_s, start_s = sum(step.image_s for step in result.product.steps), 0.0
    for place, step in enumerate(result.product.steps):
        colour = _LOOK[step.role][0]
        axes.barh(place, 1e3 * step.image_s, left=1e3 * start_s, height=0.8, color=colour, zorder=2)
        start_s += step.image_s
        axes.annotate(
            _words(result, step, total_s), (1e3 * start_s, place), xytext=(3, 0), textcoords="offset points",
            va="center", fontsize=6.5, color=MUTED,
        )  # fmt: skip
    axes.set_xlim(0, 1e3 * total_s)
    axes.set_ylim(len(result.product.steps) - 0.4, -0.6)
    axes.set_yticks(range(len(result.product.steps)), [step.name for step in result.product.steps])
    axes.tick_params(axis="y", colors=INK, labelsize=6.5)
    axes.set_xlabel("milliseconds per image", fontsize=8, color=MUTED)
    _key(axes)
    return figure


def _words(result: QuantizedResult, step: StepTime, total_s: float) -> str:
    share = step_ceiling_share(result, step)
    reached = "" if share is None else f", ceiling {number(share, 0)}\N{NO-BREAK SPACE}%"
    return f"{number(100 * step.image_s / total_s, 1)}\N{NO-BREAK SPACE}%{reached}"


def _key(axes: Axes) -> None:
    x = 0.0
    for colour, text in _LOOK.values():
        axes.annotate(
            text, (0, 1), xycoords="axes fraction", xytext=(x, 4), textcoords="offset points", fontsize=8, color=colour
        )  # fmt: skip
        x += 4.6 * len(text) + 14
