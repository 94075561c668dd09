"""Plot -> files (SVG and PNG, titled) and inline SVG for the page (two widths, colours by CSS variable)."""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from qbench.errors import ResultsError
from qbench.report import style
from qbench.report.plots.plot import Plot
from qbench.report.plots.points import with_trials, without_trials

_VARIABLES = {getattr(style, name): f"var(--{name.lower()})" for name in style.COLOURS}
_PNG_DPI = 144
_PLACES = re.compile(r' (?:d|x|y)="[^"]*"')
PLOTS_NAME = "plots"
"""Folder of the plots, beside the page."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plot as the page holds it: `wide` and `narrow` are SVG elements."""

    name: str
    title: str
    subtitle: str
    wide: str
    narrow: str


def write_files(plot: Plot, folder: Path, *, prefix: str = "") -> list[Path]:
    """Write `<prefix><name>.svg` and `.png` and return their paths; raise ResultsError when they cannot be written."""
    figure = plot.draw(style.FILE)
    paths = [folder / f"{prefix}{plot.name}.{suffix}" for suffix in ("svg", "png")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        svg = without_trials(_svg(figure, salt=plot.name, text_as_paths=True))
        paths[0].write_text(svg, encoding="utf-8")
        figure.savefig(paths[1], dpi=_PNG_DPI, metadata={"Software": None})
    except OSError as error:
        raise ResultsError(f"{folder}: cannot write the plot '{plot.name}': {error.strerror}") from error
    return paths


SUFFIXES = (".pdf", ".svg", ".png")


def save_figure(plot: Plot, out: Path, *, width_in: float, titled: bool) -> Path:
    """Write one plot at a paper's width and return its path.

    Args:
        plot: the plot.
        out: file with one of `SUFFIXES`.
        width_in: inches.
        titled: whether title and conditions stand above it.

    Raises:
        ResultsError: it has another suffix, or cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise ResultsError(f"{out}: expected a file that ends in {', '.join(SUFFIXES)}")
    columns = 4 if width_in >= 9 else 2 if width_in >= 6 else 1
    figure = plot.draw(style.Layout("paper", width_in, columns, titled))
    dates = {"CreationDate": None} if out.suffix == ".pdf" else {"Date": None} if out.suffix == ".svg" else {}
    try:
        with rc_context({"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": plot.name}):
            figure.savefig(out, dpi=2 * _PNG_DPI, metadata=dates)
    except OSError as error:
        raise ResultsError(f"{out}: cannot write the plot '{plot.name}': {error.strerror}") from error
    return out


def drawn(plot: Plot, *, run: str) -> Drawn:
    """Return the plot for a page, in both widths."""
    wide, narrow = (_inline(plot, layout, run=run) for layout in (style.WIDE, style.NARROW))
    return Drawn(plot.name, plot.title, plot.subtitle, wide, narrow)


def _inline(plot: Plot, layout: style.Layout, *, run: str) -> str:
    text = _svg(plot.draw(layout), salt=f"{run}/{plot.name}/{layout.name}", text_as_paths=False)
    text = with_trials(text[text.index("<svg") :])
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", text)
    text = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    text = _PLACES.sub(_shorter, text)
    used = set(re.findall(r"#([\w.-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", text)
    head = f'<svg class="{layout.name}" role="img" aria-label="{html.escape(plot.title)}"'
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    return re.sub(r"<svg[^>]*>", f'{head} {box[0]} xmlns:xlink="http://www.w3.org/1999/xlink">', text, count=1)


def _shorter(attribute: re.Match[str]) -> str:
    """Return an attribute of coordinates to a hundredth of a point, without line breaks: a fifth of a page's bytes."""
    return re.sub(r"\s*\n\s*", "", re.sub(r"(\.\d\d)\d+", r"\1", attribute[0]))


def _svg(figure: Figure, *, salt: str, text_as_paths: bool) -> str:
    buffer = io.StringIO()
    fonts = "path" if text_as_paths else "none"
    with rc_context({"svg.fonttype": fonts, "svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r"[ \t]+\n", "\n", buffer.getvalue())
