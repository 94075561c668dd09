"""The tables of layers: what each costs alone, or inside the network where it was not timed alone."""

from __future__ import annotations

from qbench.metrics import kind, speed
from qbench.report import words
from qbench.report.rows import FP32, INT8, LayerTime, Row
from qbench.report.tables.table import Cell, Column, Line, Table, score
from qbench.report.view import RunView


def layers(view: RunView) -> list[tuple[Row, Table]]:
    """Return a table of layers for every row whose layers were timed, alone or inside the network."""
    found = []
    for row in view.rows:
        if row.ok and (row.layer_times or any("median_s" in facts for facts in row.result.layer_rows)):
            found.append((row, _layer_table(row, view)))
    return found


def _layer_table(row: Row, view: RunView) -> Table:
    columns = (
        Column("layer", number=False),
        Column("spec", number=False, hint="the spec assigned to the layer: that of the row, of its ends or of a rule"),
        Column("Mop per image", hint="10^6 operations, 2 per multiply-add"),
        Column("depth", hint="multiply-adds an output"),
        Column("weight SQNR, dB"),
        Column("time", hint="median of a call, the layer alone, or inside the network where it was not timed alone"),
        Column("Gop/s"),
        Column("% of ceiling", hint=kind("ceiling_share").doc),
        Column(f"{words.TIMES} fp32", hint=f"paired speedup over {FP32}"),
        Column(f"{words.TIMES} int8", hint=f"paired speedup over {INT8}"),
        Column("kernel", number=False),
    )
    timed = {time.layer: time for time in row.layer_times}
    shown = [f for f in row.result.layer_rows if str(f["name"]) in timed or f.get("median_s") is not None]
    return Table(columns, tuple(_layer(facts, timed.get(str(facts["name"])), row, view) for facts in shown))


def _layer(facts: dict[str, str | float | int | None], time: LayerTime | None, row: Row, view: RunView) -> Line:
    def number(name: str) -> float | None:
        value = facts.get(name)
        return None if value is None or isinstance(value, str) else float(value)

    operations, sqnr_db, median_s = number("operations"), number("sqnr_db"), number("median_s")
    rate, share, ratios = None, None, [Cell(words.ABSENT), Cell(words.ABSENT)]
    if time is not None:
        median_s, rate = time.own.median_s, time.gops
        limit = view.header.machine_of(row.result.machine).ceilings.get(row.layer_ceiling(time), 0.0)
        share = speed.ceiling_share(time.own, ceiling_gops=limit).value
        ratios = [score(time.speedup(peer), 2) for peer in (FP32, INT8)]
    name = str(facts["name"])
    cells = (
        Cell(name, name),
        Cell(str(facts.get("assigned") or words.ABSENT)),
        Cell(words.significant(None if operations is None else operations / 1e6), operations),
        Cell(words.number(number("depth"), 0), number("depth")),
        Cell(words.number(sqnr_db, 1), sqnr_db),
        Cell(words.seconds(median_s), median_s),
        Cell(words.significant(rate), rate),
        Cell(words.number(share, 1), share),
        *ratios,
        Cell(row.result.kernels.get(name, words.ABSENT)),
    )
    return Line(cells)
