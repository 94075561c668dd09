"""A history as tables of text: steps first, then how every figure went; for the terminal and for Markdown."""

from __future__ import annotations

from qbench.results.history.series import History, Series, Step
from qbench.results.markdown import table_lines
from qbench.results.tables import number_text

STEPS = ("at", "row", "figure", "change", "95 %", "p")
FIGURES = ("row", "figure", "first", "last", "course", "runs")
_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 30
_LONGEST = 60
"""Letters of a run's name."""


def headline(found: History) -> str:
    """Return the answer in a sentence."""
    steps = sum(len(one.steps) for one in found.series)
    what = "no step" if not steps else f"{steps} {'step' if steps == 1 else 'steps'}"
    first, last = found.marks[0], found.marks[-1]
    return f"{what} in {len(found.series)} figures of {len(found.marks)} runs, {first.moment} to {last.moment}"


def step_rows(found: History) -> list[tuple[str, ...]]:
    """Return a tuple of texts for every step, in the order of the runs."""
    steps = [(step, one) for one in found.series for step in one.steps]
    return [
        (name_of(found, step.mark), one.key, figure_of(one), *_change(one, step))
        for step, one in sorted(steps, key=lambda pair: pair[0].mark)
    ]


def figure_rows(found: History) -> list[tuple[str, ...]]:
    """Return a tuple of texts for every series, those with steps first."""
    return [
        (
            one.key,
            figure_of(one),
            number_text(one.points[0].value),
            number_text(one.points[-1].value),
            course(one),
            str(len(one.points)),
        )
        for one in sorted(found.series, key=lambda one: not one.steps)
    ]


def name_of(found: History, mark: int) -> str:
    """Return what a run is called, shortened."""
    name = found.marks[mark].name
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."


def figure_of(one: Series) -> str:
    """Return what a series is of, e.g. `gops against qbench ceiling`."""
    return f"{one.quantity} against {one.basis}" if one.basis else one.quantity


def course(one: Series) -> str:
    """Return the values of a series as bars, least to most; the last of them where there are many."""
    values = [point.value for point in one.points][-_MOST_BARS:]
    low, high = min(values), max(values)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round(scale * (value - low))] for value in values)


def _change(one: Series, step: Step) -> tuple[str, str, str]:
    p = "-" if step.p is None else "<0.001" if step.p < 0.001 else f"{step.p:.3f}"
    if one.kind == "accuracy":
        return f"{step.change:+.2f} {one.unit}", f"[{step.low:+.2f}, {step.high:+.2f}]", p
    change = f"{100 * (step.change - 1):+.1f} %"
    if one.kind == "size":
        return change, "-", p
    return change, f"[{100 * (step.low - 1):+.1f}, {100 * (step.high - 1):+.1f}]", p


def history_markdown(found: History) -> str:
    """Return the whole history as Markdown."""
    lines = [f"# {headline(found)}", "", *(f"- {remark}" for remark in found.remarks)]
    for headings, rows in ((STEPS, step_rows(found)), (FIGURES, figure_rows(found))):
        if rows:
            lines += ["", *table_lines(headings, rows)]
    return "\n".join(lines) + "\n"
