"""The table of single layers: what quantizing each alone does, by score, SQNR and KL; weights, activations and both."""

from __future__ import annotations

from qbench.metrics import kind
from qbench.report import words
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.report.view import RunView
from qbench.results.findings.layers import SCOPES, LayerLine, layer_lines, measures


def sensitivity(view: RunView) -> Table:
    """Return one line for each layer, recipe and width that was tried alone."""
    lines, shown = layer_lines(view.run), measures(view.run)
    scopes = {scope: word for scope, word in SCOPES.items() if any(scope in line.records for line in lines)}
    columns = (
        Column("layer", number=False),
        Column("recipe", number=False),
        Column("bits"),
        Column("scales", hint="which weights share one", number=False),
        *(
            Column(f"{word}: {heading}", hint=kind(name).doc)
            for word in scopes.values()
            for name, (heading, _) in shown.items()
        ),
    )
    return Table(columns, tuple(_line(line, tuple(scopes), shown) for line in lines))


def _line(line: LayerLine, scopes: tuple[str, ...], shown: dict[str, tuple[str, int]]) -> Line:
    cells = [Cell(line.layer, line.layer), Cell(line.recipe, line.recipe), Cell(str(line.bits), line.bits)]
    cells += [Cell(line.granularity, line.granularity)]
    cells += [_cell(line, scope, name, digits) for scope in scopes for name, (_, digits) in shown.items()]
    return Line(tuple(cells), {"recipe": line.recipe, "bits": str(line.bits)})


def _cell(line: LayerLine, scope: str, name: str, digits: int) -> Cell:
    value, low, high = (line.value(scope, f"{name}{end}") for end in ("", "_low", "_high"))
    detail = "" if low is None or high is None else words.interval(kind(name).of(value, low=low, high=high), digits)
    return Cell(words.number(value, digits), value, detail)
