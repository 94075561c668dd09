"""Tables for papers: LaTeX (booktabs), Typst, Markdown and CSV, with intervals, and in bold what a test lets lead."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from qbench.errors import ResultsError, suggest
from qbench.report.best import widths_table
from qbench.report.tables.sensitivity import sensitivity
from qbench.report.view import RunView
from qbench.results.ranking import Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell: its text, and whether it leads."""

    text: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class PaperTable:
    """Headings and rows of equal length; columns named in `right` hold numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    right: frozenset[str]


def best_table(views: Sequence[RunView]) -> PaperTable:
    """Return the best row of each width of every run; rows that are shown to keep the target are bold."""
    tables = [(view, widths_table(view)) for view in views]
    headings = tuple(dict.fromkeys(heading for _, table in tables for heading in table.headings))
    rows = []
    for view, table in tables:
        for row in table.rows:
            cells = dict(zip(table.headings, row, strict=True))
            kept = cells.get("target") == "kept"
            rows.append((Entry(view.header.model.name), *(Entry(cells.get(name, "-"), kept) for name in headings)))
    return PaperTable(("network", *headings), tuple(rows), frozenset(headings) - {"row", "target"})


def ranking_table(views: Sequence[RunView]) -> PaperTable:
    """Return the recipes of every spec of every run, ranked; those that no test tells from the best are bold."""
    headings = ("network", "spec", "recipe", "score", "lost", "behind the best", "seconds")
    rows = [
        (Entry(view.header.model.name), Entry(group.name), *_ranked(view, place))
        for view in views
        for group in view.by_bits
        for place in group.places
    ]
    return PaperTable(headings, tuple(rows), frozenset(headings[3:]))


def _ranked(view: RunView, place: Place) -> tuple[Entry, ...]:
    task, metrics = view.task, place.row.metrics
    score, lost = metrics.get(task.primary.name), metrics.get(task.loss.name) if task.loss else None
    known = (place.behind, place.low, place.high) if place.low is not None else (None, None, None)
    return (
        Entry(place.row.trial.recipe, place.leads),
        Entry(_number(score.value if score else None), place.leads),
        Entry(_interval(lost.value, lost.low, lost.high) if lost else "-", place.leads),
        Entry(_interval(*known)),
        Entry(_number(place.row.making_s, 1)),
    )


def sensitivity_table(views: Sequence[RunView]) -> PaperTable:
    """Return what quantizing each layer alone does; runs of other measures have empty cells."""
    found = [(view, sensitivity(view)) for view in views]
    names = tuple(dict.fromkeys(column.heading for _, table in found for column in table.columns))
    rows = []
    for view, table in found:
        for line in table.lines:
            cells = {
                column.heading: f"{cell.text} [{cell.detail}]" if cell.detail else cell.text
                for column, cell in zip(table.columns, line.cells, strict=True)
            }
            rows.append((Entry(view.header.model.name), *(Entry(cells.get(name, "-")) for name in names)))
    return PaperTable(("network", *names), tuple(rows), frozenset(names) - {"layer", "recipe", "scales"})


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    ends = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    return _number(value) + ends if value is not None else "-"


def latex(table: PaperTable) -> str:
    """Return a tabular of the package booktabs, which the document has to load."""
    columns = "".join("r" if heading in table.right else "l" for heading in table.headings)
    head = " & ".join(map(_tex, table.headings)) + " \\\\"
    lines = [f"\\begin{{tabular}}{{{columns}}}", "\\toprule", head, "\\midrule"]
    for row in table.rows:
        cells = (f"\\textbf{{{_tex(entry.text)}}}" if entry.bold else _tex(entry.text) for entry in row)
        lines.append(" & ".join(cells) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


_TEX = {
    "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
    "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\N{MULTIPLICATION SIGN}": "$\\times$",
    "\N{MINUS SIGN}": "$-$", "\N{EN DASH}": "--", "\N{HORIZONTAL ELLIPSIS}": "\\ldots{}",
    "\N{NARROW NO-BREAK SPACE}": "\\,", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def typst(table: PaperTable) -> str:
    """Return a table of Typst."""
    aligned = ", ".join("right" if heading in table.right else "left" for heading in table.headings)
    lines = [f"#table(columns: {len(table.headings)}, align: ({aligned}), stroke: none, table.hline(),"]
    lines.append(
        "  table.header(" + ", ".join(f"[{_typ(heading)}]" for heading in table.headings) + "), table.hline(),"
    )
    for row in table.rows:
        cells = (f"[*{_typ(entry.text)}*]" if entry.bold else f"[{_typ(entry.text)}]" for entry in row)
        lines.append("  " + ", ".join(cells) + ",")
    return "\n".join([*lines, "  table.hline())"]) + "\n"


def _typ(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\[]*_#$@<>`/~" else letter for letter in text)


def markdown(table: PaperTable) -> str:
    """Return a table of Markdown."""
    rules = "|".join("---:" if heading in table.right else "---" for heading in table.headings)
    lines = ["| " + " | ".join(table.headings) + " |", f"|{rules}|"]
    for row in table.rows:
        cells = (entry.text.replace("|", "\\|") for entry in row)
        marked = (f"**{text}**" if entry.bold else text for text, entry in zip(cells, row, strict=True))
        lines.append("| " + " | ".join(marked) + " |")
    return "\n".join(lines) + "\n"


def comma_separated(table: PaperTable) -> str:
    """Return CSV, with a column that says whether a row leads."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow((*table.headings, "leads"))
    for row in table.rows:
        writer.writerow((*(entry.text for entry in row), int(any(entry.bold for entry in row))))
    return file.getvalue()


FORMATS: Mapping[str, Callable[[PaperTable], str]] = {
    "latex": latex, "typst": typst, "markdown": markdown, "csv": comma_separated,
}  # fmt: skip
TABLES: Mapping[str, Callable[[Sequence[RunView]], PaperTable]] = {
    "best": best_table, "ranking": ranking_table, "sensitivity": sensitivity_table,
}  # fmt: skip


def paper_table(views: Sequence[RunView], *, what: str, form: str) -> str:
    """Return a table of runs as text; raise ResultsError for a table or format that there is not, and for no rows."""
    for word, known in ((what, TABLES), (form, FORMATS)):
        if word not in known:
            raise ResultsError(f"unknown word '{word}'{suggest(word, list(known))}")
    table = TABLES[what](views)
    if not table.rows:
        raise ResultsError(f"table '{what}': the runs have no row to put into it")
    return FORMATS[form](table)
