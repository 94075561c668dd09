"""How the report's figures look: colours, type, panels measured in inches, direct labels that do not overlap.

Colours follow Okabe and Ito's (2008), darkened until text in them has a contrast of 4.5 to 1 on paper; only FAINT and
GRID are for lines alone. The page swaps each for a lighter twin on dark ground (`figures.py`). Every series differs by
marker as well, so that nothing depends on colour only.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAPER, INK, MUTED, FAINT, GRID = "#fffffe", "#1b2430", "#5c6776", "#97a1ae", "#e4e8ed"
BLUE, ROSE, ORANGE, GREEN, PURPLE = "#0b6fb4", "#b83260", "#c04d00", "#08805e", "#a2428a"
AMBER, INDIGO, TEAL, GREY = "#8f6700", "#5a55b8", "#1c7a86", "#677281"
COLOURS = tuple(name for name, value in list(globals().items()) if name.isupper() and str(value).startswith("#"))
"""Names of all colours; the page's stylesheet has a variable for each."""

_METHODS = {
    "mse": (BLUE, "o"),
    "minmax": (ROSE, "s"),
    "absmax": (GREY, "^"),
    "percentile": (INDIGO, "D"),
    "kl": (TEAL, "v"),
    "linear_floor": (ORANGE, "o"),
    "log_floor": (ORANGE, "s"),
    "log_floor_signed": (ORANGE, "D"),
    "log": (PURPLE, "o"),
    "pot": (PURPLE, "s"),
    "kmeans": (GREEN, "o"),
    "ternary": (AMBER, "^"),
    "binary": (AMBER, "s"),
}
_SPARE = ((GREEN, "s"), (GREEN, "D"), (PURPLE, "D"), (GREY, "o"), (GREY, "s"), (AMBER, "D"), (BLUE, "v"), (GREY, "^"))


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a figure: a wide one for a README or a desktop, a narrow one for a phone.

    Args:
        width_in: inches; 72 points each.
        columns: most panels side by side.
        titled: whether the title stands inside the figure (files) or beside it in the page.
    """

    name: str
    width_in: float
    columns: int
    titled: bool

    @property
    def narrow(self) -> bool:
        """Whether this is a phone's width."""
        return self.width_in < 6


FILE = Layout("file", 10.0, 4, titled=True)
WIDE = Layout("wide", 10.0, 4, titled=False)
NARROW = Layout("narrow", 3.7, 1, titled=False)


@dataclass(frozen=True, slots=True)
class Margins:
    """Inches around each panel (`left`, `right`, `top`, `bottom`) and the height of its axes."""

    height: float
    left: float = 0.5
    right: float = 0.2
    top: float = 0.35
    bottom: float = 0.42


def method_style(name: str, known: Sequence[str] = ()) -> tuple[str, str]:
    """Return the colour and marker of a method; one that has no own style takes a spare one by its place in `known`."""
    if name in _METHODS:
        return _METHODS[name]
    strangers = sorted(set(known) - set(_METHODS))
    return _SPARE[strangers.index(name) % len(_SPARE)] if name in strangers else (GREY, "o")


def panels(
    layout: Layout, margins: Margins, *, count: int, title: str, subtitle: str, columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` equal panels in rows, with its heading when the layout is titled."""
    columns = min(count, columns or layout.columns, layout.columns)
    rows = -(-count // columns)
    heading = _heading(layout, title, subtitle)
    row_in = margins.height + margins.top + margins.bottom
    height = 0.12 + heading[1] + rows * row_in
    figure = Figure(figsize=(layout.width_in, height), facecolor=PAPER)
    _write_heading(figure, heading[0], height)
    column_in = layout.width_in / columns
    axes = []
    for index in range(count):
        row, column = divmod(index, columns)
        left = column * column_in + margins.left
        bottom = height - heading[1] - row * row_in - margins.top - margins.height
        width = column_in - margins.left - margins.right
        box = (left / layout.width_in, bottom / height, width / layout.width_in, margins.height / height)
        axes.append(_dress(figure.add_axes(box)))
    return figure, axes


def narrower(margins: Margins, layout: Layout, *, left: float, right: float) -> Margins:
    """Return the margins with other sides on a phone's width."""
    return replace(margins, left=left, right=right) if layout.narrow else margins


def panel_title(axes: Axes, text: str, *, pad: float = 7.0) -> None:
    """Set a panel's title, left, `pad` points above its axes."""
    axes.set_title(text, loc="left", fontsize=9, fontweight="bold", color=INK, pad=pad)


def _dress(axes: Axes) -> Axes:
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.spines["bottom"].set_linewidth(0.8)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=8, length=0, pad=5)
    return axes


def _heading(layout: Layout, title: str, subtitle: str) -> tuple[list[tuple[str, float, str, str, float]], float]:
    """Return lines (text, size, weight, colour, height below the top in inches) and the height of all."""
    if not layout.titled:
        return [], 0.0
    lines, y = [], 0.3
    for text, size, weight, colour in ((title, 13.0, "bold", INK), (subtitle, 9.0, "normal", MUTED)):
        # DejaVu Sans sets about 0.53 em a letter, 0.6 em when bold.
        letters = int((layout.width_in - 0.5) * 72 / (size * (0.60 if weight == "bold" else 0.53)))
        for line in textwrap.wrap(text, letters):
            lines.append((line, size, weight, colour, y))
            y += size * 1.45 / 72
    return lines, y + 0.06


def _write_heading(figure: Figure, lines: list[tuple[str, float, str, str, float]], height: float) -> None:
    width = figure.get_figwidth()
    for text, size, weight, colour, y in lines:
        figure.text(0.2 / width, 1 - y / height, text, fontsize=size, fontweight=weight, color=colour, va="baseline")
