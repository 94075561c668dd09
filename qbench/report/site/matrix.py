"""Networks x machines x libraries: how fast the best row of qbench is beside every library that took turns with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qbench.core.trial import ON_INTEGERS
from qbench.report import words
from qbench.report.answer import find
from qbench.report.rivals import CLASSES, Rival
from qbench.report.rows import Row
from qbench.report.site.shown import Shown
from qbench.report.tables.table import Cell, Column, Line, Table
from qbench.report.view import RunView

_TONES = {"faster": "good", "slower": "bad"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A network on a machine: the row that stands for it, at the largest batch size.

    Args:
        shown: the newest run that timed it.
        row: the fastest integer row that keeps the target; where none is shown to, the fastest one of 8 bits.
        batch: images per call.
        beside: every library that took turns with the row.
    """

    shown: Shown
    row: Row
    batch: int
    beside: tuple[Rival, ...]

    @property
    def fastest(self) -> Rival | None:
        """The library that is fastest beside the row."""
        return min(self.beside, key=lambda one: one.speedup.value or 0.0, default=None)


def entries(runs: Iterable[Shown]) -> tuple[Entry, ...]:
    """Return the newest entry of each network, machine and number of threads; by network, then by machine.

    Args:
        runs: the newest first.
    """
    found: dict[tuple[str, str, int], Entry] = {}
    for shown in runs:
        entry = _entry(shown) if shown.is_network else None
        if entry is not None:
            found.setdefault((shown.header.model.name, shown.machine_id, shown.header.suite.threads), entry)
    return tuple(found[key] for key in sorted(found))


def _entry(shown: Shown) -> Entry | None:
    """Return what a run says of its network, None where it timed no row that can stand for it."""
    view = shown.view
    row = find(view).fastest or _of_8_bits(view)
    if row is None:
        return None
    batch = max(batch for batch in view.batches if row.images_per_s(batch))
    beside = tuple(
        Rival(name, _class_of(name), speedup)
        for name in view.references
        if (speedup := row.speedup(batch, name)) is not None and speedup.value
    )
    return Entry(shown, row, batch, beside)


def _of_8_bits(view: RunView) -> Row | None:
    """Return the fastest integer row of 8-bit weights."""
    rows = [row for row in view.timed if row.result.execution in ON_INTEGERS and row.width == "8"]

    def rate(row: Row) -> float:
        found = row.images_per_s(view.batches[-1])
        return (found.value or 0.0) if found else 0.0

    return max(rows, key=rate, default=None)


def _class_of(name: str) -> str:
    return next((kind for kind in CLASSES if name.endswith(f"-{kind}")), "")


def matrix(found: Sequence[Entry]) -> Table:
    """Return one line for each network on a machine, and a column for each library that took turns anywhere."""
    names = {one.name: one.kind for entry in found for one in entry.beside}
    libraries = sorted(names, key=lambda name: ([*CLASSES, ""].index(names[name]), name))
    columns = (
        Column("network", number=False),
        Column("machine", number=False),
        Column("fastest", number=False, hint="of qbench and all libraries that took turns with it"),
        *(Column(f"{words.TIMES} {name}", hint="paired: median ratio within rounds, 95 %") for name in libraries),
        Column("row of qbench", number=False, hint="the fastest in integers that keeps the target, else of 8 bits"),
        Column("images/s"),
    )
    return Table(columns, tuple(_line(entry, libraries) for entry in found))


def _line(entry: Entry, libraries: Sequence[str]) -> Line:
    shown, row = entry.shown, entry.row
    rate, threads = row.images_per_s(entry.batch), shown.header.suite.threads
    beside = {one.name: one for one in entry.beside}
    cells = (
        Cell(shown.header.model.name, link=shown.page),
        Cell(shown.machine_name, detail=f"{shown.machine_words}, {words.counted(threads, 'thread')}"),
        _fastest(entry),
        *(_beside(beside.get(name)) for name in libraries),
        Cell(row.label, detail=_lost(shown.view, row)),
        Cell(words.rate(rate.value if rate else None), rate.value if rate else None, f"batch {entry.batch}"),
    )
    return Line(cells, {"network": shown.header.model.name, "machine": shown.machine_name})


def _lost(view: RunView, row: Row) -> str:
    lost = view.lost(row)
    if lost is None or lost.value is None or view.fp32_score is None:
        return "accuracy unknown"
    target = f", target {row.target}" if row.target != "kept" else ""
    return f"loses {words.number(lost.value)} [{words.interval(lost)}]{target}"


def _fastest(entry: Entry) -> Cell:
    """Return who is fastest: qbench only where the interval leaves no doubt."""
    rival = entry.fastest
    if rival is None:
        return Cell(words.ABSENT, detail="no library took turns")
    tone = _TONES.get(rival.verdict, "dim")
    told = {"faster": "qbench", "slower": rival.name}.get(rival.verdict, f"qbench or {rival.name}")
    return Cell(told, tone=tone)


def _beside(rival: Rival | None) -> Cell:
    if rival is None:
        return Cell(words.ABSENT)
    return Cell(
        words.number(rival.speedup.value), rival.speedup.value, words.interval(rival.speedup),
        _TONES.get(rival.verdict, "dim"),
    )  # fmt: skip


def best_of_machines(runs: Iterable[Shown]) -> Table:
    """Return one line for each machine and network: the smallest and the fastest row that keep the target."""
    columns = (
        Column("machine", number=False),
        Column("network", number=False),
        Column("smallest that keeps the target", number=False),
        Column("size"),
        Column("fastest that keeps it", number=False),
        Column("images/s"),
        Column("its size"),
    )
    found: dict[tuple[str, str], Line] = {}
    for shown in runs:
        if shown.is_network and shown.view.fp32_score is not None:
            key = (shown.machine_name, shown.header.model.name)
            line = _best_line(shown)
            better = line is not None and (key not in found or found[key].cells[5].sort is None)
            if line is not None and better:
                found[key] = line
    return Table(columns, tuple(found[key] for key in sorted(found)))


def _best_line(shown: Shown) -> Line | None:
    """Return the best rows of a run, None where no row in integers is shown to keep the target."""
    view = shown.view
    answer = find(view)
    small, fast = answer.smallest_integer, answer.fastest
    if small is None:
        return None
    size, rate = small.value("packed_bytes"), fast.images_per_s(view.batches[-1]) if fast else None
    cells = (
        Cell(shown.machine_name, detail=shown.machine_words),
        Cell(shown.header.model.name, link=shown.page),
        Cell(small.label, detail=_lost(view, small)),
        Cell(words.size(size), size),
        Cell(fast.label if fast else words.ABSENT, detail=_lost(view, fast) if fast else ""),
        Cell(
            words.rate(rate.value if rate else None), rate.value if rate else None,
            f"batch {view.batches[-1]}, {words.counted(shown.header.suite.threads, 'thread')}" if rate else "",
        ),
        Cell(words.size(fast.value("packed_bytes") if fast else None), fast.value("packed_bytes") if fast else None),
    )  # fmt: skip
    return Line(cells, {"machine": shown.machine_name})
