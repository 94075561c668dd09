"""From float32's time to the fastest row's: what each kind of step, or each kind of layer, takes away or adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qbench.core.trial import TrialResult
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import name_marks
from qbench.report.rows import FP32, Row
from qbench.report.style import BLUE, GREEN, GREY, GRID, INK, MUTED, ORANGE, Layout, Margins, panels
from qbench.report.view import RunView
from qbench.report.words import ABSENT, number, seconds

_MOST = 12
"""Bars between the two ends; the rest are one."""
_WORDS = {
    "Conv": "convolutions", "Linear": "matrix products", "Add": "additions", "Mul": "products of two tensors",
    "Pool": "pooling", "Activation": "clamps", "Attention": "attention", "LayerNorm": "layer norms",
    "ChannelAffine": "scales of channels", "Unary": "functions of one number", "Concat": "concatenations",
    "Softmax": "softmax", "Recurrent": "recurrent layers", "Flatten": "reshaping",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """What takes time on both sides: seconds per image in the row and in float32."""

    name: str
    own_s: float
    float_s: float

    @property
    def change_s(self) -> float:
        """What it adds on the way from float32; less than 0 where it is saved."""
        return self.own_s - self.float_s


@dataclass(frozen=True, slots=True)
class Fall:
    """A row, its parts with the largest change first, and what float32 and the conditions are."""

    row: Row
    parts: tuple[Part, ...]
    beside: str
    how: str

    @property
    def ends_s(self) -> tuple[float, float]:
        """Seconds of all parts, in float32 and in the row."""
        return sum(part.float_s for part in self.parts), sum(part.own_s for part in self.parts)


def plot(view: RunView) -> Plot | None:
    """Return the waterfall of the fastest row whose parts were timed, those that keep the target first; else None."""
    fall = of_steps(view) or of_layers(view)
    if fall is None:
        return None
    before, after = fall.ends_s
    first = fall.parts[0]
    title = (
        f"{fall.row.label} takes {seconds(after)} an image where {fall.beside} takes {seconds(before)}: "
        f"{_change(first)} for {first.name}"
    )
    subtitle = f"{view.header.model.name}; {fall.how} Bars go from one time to the next, the largest change first."
    return Plot("waterfall", title, subtitle, lambda layout: _draw(fall, layout, title, subtitle))


def of_steps(view: RunView) -> Fall | None:
    """Return the fall of the fastest row whose steps took turns with float32's."""
    rows = [row for row in view.timed if row.result.split_s and not row.is_baseline]
    if not rows:
        return None
    row = min(rows, key=lambda row: (row.target != "kept", _share(row)))
    parts = [Part(_WORDS.get(name, name), *both) for name, both in row.result.split_s.items()]
    how = "all steps on one thread, one after the other, in turns with those of the same graph in float32, medians."
    return Fall(row, _ranked(parts), "its graph in float32", how)


def _share(row: Row) -> float:
    """Return a row's time over float32's of the same rounds: rows were timed minutes apart, their rounds were not."""
    both = row.result.split_s.values()
    return sum(own for own, _ in both) / sum(plain for _, plain in both)


def of_layers(view: RunView) -> Fall | None:
    """Return the fall of a row whose layers took turns with another library's, each as often as the network has it."""
    found = []
    for row in view.rows:
        times = [time for time in row.layer_times if FP32 in time.references] if row.ok else []
        if times:
            counts = _like(row.result, [time.layer for time in times])
            parts = [
                Part(
                    _often(time.layer, counts[time.layer]),
                    counts[time.layer] * time.own.median_s / time.own.items,
                    counts[time.layer] * time.references[FP32].median_s / time.references[FP32].items,
                )
                for time in times
            ]
            batch = times[0].batch
            how = f"each kind of layer alone, as often as it occurs, in turns with {FP32}, batch {batch}, medians."
            found.append(Fall(row, _ranked(parts), FP32, how))
    return min(found, key=lambda fall: fall.ends_s[1] / fall.ends_s[0], default=None)


def _often(name: str, count: int) -> str:
    return name if count < 2 else f"{name} {count}\N{MULTIPLICATION SIGN}"


def _like(result: TrialResult, timed: Sequence[str]) -> dict[str, int]:
    """Return how many layers each timed one stands for: those of the same kernel, shape and operations."""
    facts = {
        str(one["name"]): (one.get("kernel"), one.get("channels"), one.get("depth"), one.get("operations"))
        for one in result.layer_rows
    }
    counts = dict.fromkeys(timed, 1)
    for name, kind in facts.items():
        alike = [one for one in timed if facts.get(one) == kind]
        if name not in counts and alike:  # where several stand for a shape, they stand for as many layers each
            counts[min(alike, key=lambda one: counts[one])] += 1
    return counts


def _ranked(parts: Sequence[Part]) -> tuple[Part, ...]:
    ranked = sorted(parts, key=lambda part: -abs(part.change_s))
    rest = ranked[_MOST:]
    if len(rest) < 2:
        return tuple(ranked)
    together = Part(f"{len(rest)} others", sum(one.own_s for one in rest), sum(one.float_s for one in rest))
    return (*ranked[:_MOST], together)


def _change(part: Part) -> str:
    sign = "\N{MINUS SIGN}" if part.change_s < 0 else "+"
    return f"{sign}{seconds(abs(part.change_s))}" if part.change_s else ABSENT


def _draw(fall: Fall, layout: Layout, title: str, subtitle: str) -> Figure:
    names = ["float32", *(part.name for part in fall.parts), fall.row.label]
    left = 0.2 + 0.066 * max(map(len, names))
    height, left = 0.24 * len(names) + 0.1, min(left, 0.5 * layout.width_in)
    margins = Margins(height=height, left=left, right=0.8, top=0.2, bottom=0.45)
    figure, (axes,) = panels(layout, margins, count=1, title=title, subtitle=subtitle)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    before, after = fall.ends_s
    _bar(axes, 0, 0.0, before, GREY, seconds(before))
    at = before
    for place, part in enumerate(fall.parts, 1):
        colour = GREEN if part.change_s < 0 else ORANGE
        name_marks(_bar(axes, place, at, at + part.change_s, colour, _change(part)), [[fall.row.line]])
        axes.vlines(1e6 * at, place - 1.0, place + 0.35, color=MUTED, lw=0.6, zorder=1.5)
        at += part.change_s
    name_marks(_bar(axes, len(names) - 1, 0.0, after, BLUE, seconds(after)), [[fall.row.line]])
    axes.set_xlim(0, 1e6 * max(before, after) * 1.02)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", colors=INK, labelsize=8)
    axes.xaxis.set_major_formatter(lambda value, _: number(value, 0))
    axes.locator_params(axis="x", nbins=4 if layout.narrow else 8)
    axes.set_xlabel("microseconds per image", fontsize=8, color=MUTED)
    return figure


def _bar(axes: Axes, place: int, start_s: float, end_s: float, colour: str, text: str) -> Artist:
    bar: Artist
    (bar,) = axes.barh(place, 1e6 * (end_s - start_s), left=1e6 * start_s, height=0.66, color=colour, zorder=2)
    axes.annotate(
        text, (1.0, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points", va="center",
        fontsize=7.5, color=INK,
    )  # fmt: skip
    return bar
