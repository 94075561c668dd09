"""The table of a run of kernels: one line per cell, with qbench, the best other library, and every single library."""

from __future__ import annotations

from qbench.core.cells.result import OWN, KernelResult
from qbench.metrics.speed import Ratio, gops
from qbench.report import words
from qbench.report.kernels.view import KernelView, family
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.results.kernels.index import ceiling_share, ratio_to, scaling

EACH, HOW = "each library", "how"
_ABSENT = Cell(words.ABSENT)


def kernel_table(view: KernelView) -> Table:
    """Return every cell; a ratio above 1 means that qbench is faster."""
    own = view.own_specs
    columns = (
        Column("operation", number=False),
        Column("spec", number=False),
        Column("out", number=False),
        Column("threads"),
        Column("qbench, Gop/s", hint="10^9 operations per second, two per multiply-add, median", tip=True),
        Column("of the ceiling", hint="least time that the measured ceiling allows, over the median time", tip=True),
        Column(
            "times as fast as the best",
            tip=True,
            hint="qbench beside the best library: median of paired rounds, with its 95 % interval",
        ),
        Column("best library", number=False, tip=True),
        Column("its Gop/s"),
        Column("scaling", hint="qbench, times as fast as on one thread"),
        *(Column(f"against own {spec}") for spec in own),
        *(Column(name, EACH, hint=f"qbench against {name}, and its Gop/s") for name in view.peers),
        Column("bound by", HOW, number=False),
        Column("least traffic", HOW),
        Column("GB/s", HOW, hint="least traffic over qbench's median time"),
        Column("operations per byte", HOW),
        Column("kernel", HOW, number=False),
        Column("line", HOW, hint="of trials.jsonl, where every figure of this row comes from"),
        Column("status", number=False),
    )
    return Table(columns, tuple(_line(row, view, own) for row in view.rows))


def _line(row: KernelResult, view: KernelView, own: tuple[str, ...]) -> Line:
    cell, mine, best = row.trial.cell, row.measured(OWN), row.best_peer
    kernel = next((party.kernel for party in row.parties if party.name == OWN), "")
    share = ceiling_share(row, mine)
    grown = scaling(row, view.rows) if cell.threads > 1 else None
    intensity = row.operations / row.moved_bytes if row.moved_bytes else None
    tone = {"failed": "bad", "skipped": "dim"}.get(row.status, "")
    cells = (
        Cell(cell.problem.label, detail=", ".join(row.trial.networks)),
        Cell(cell.spec),
        Cell(cell.out),
        Cell(str(cell.threads)),
        _number(gops(mine) if mine else None),
        _ABSENT if share is None else Cell(f"{words.number(100 * share, 0)}\N{NO-BREAK SPACE}%", share),
        _ratio(ratio_to(row, "peers")),
        Cell(best.cell if best else words.ABSENT, detail=_how(row, best.cell if best else "")),
        _number(gops(best) if best else None),
        _ABSENT if grown is None else Cell(words.times(grown), grown),
        *(_ratio(ratio_to(row, spec)) if spec in row.trial.own else _ABSENT for spec in own),
        *(_party(row, name) for name in view.peers),
        Cell(row.bound.replace("_", " ")),
        Cell(words.size(float(row.moved_bytes)), float(row.moved_bytes)),
        _number(row.moved_bytes / mine.median_s / 1e9 if mine else None),
        _ABSENT if intensity is None else Cell(words.significant(intensity), intensity),
        Cell(kernel),
        Cell(str(view.line(row)), view.line(row)),
        Cell(row.status, detail=row.reason, tone=tone),
    )
    facts = {"sweep": row.trial.sweep, "spec": cell.spec, "threads": str(cell.threads), "kind": row.trial.kind}
    facts |= {"family": family(row), "line": str(view.line(row))}
    return Line(cells, facts | {"network": row.trial.networks[0] if row.trial.networks else ""})


def _number(value: float | None) -> Cell:
    return _ABSENT if value is None else Cell(words.number(value, 0), value)


def _ratio(ratio: Ratio | None) -> Cell:
    if ratio is None:
        return _ABSENT
    tone = "good" if ratio.low > 1.0 else "bad" if ratio.high < 1.0 else ""
    interval = f"{words.number(ratio.low)} \N{HORIZONTAL ELLIPSIS} {words.number(ratio.high)}"
    return Cell(words.times(ratio.ratio), ratio.ratio, interval, tone)


def _party(row: KernelResult, name: str) -> Cell:
    ratio, found = ratio_to(row, name), row.measured(name)
    if found is None:
        reason = next((party.reason for party in row.parties if party.name == name), "")
        return Cell("wrong", tone="bad") if "wrong" in reason else _ABSENT
    rate = f"{words.number(gops(found), 0)} Gop/s"
    return Cell(words.times(ratio.ratio), ratio.ratio, rate) if ratio else Cell(words.ABSENT, None, rate)


def _how(row: KernelResult, name: str) -> str:
    """Return the kernel of a party, its instruction set, and whether it packs on each call."""
    party = next((party for party in row.parties if party.name == name), None)
    if party is None:
        return ""
    packing = "packs each call" if party.packed == "each call" else ""
    return ", ".join(part for part in (party.kernel, party.isa, packing, party.note) if part)
