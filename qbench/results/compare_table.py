"""A comparison of two runs as Markdown, and as rows of text that the terminal's table takes too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qbench.results.compare import ComparedRow, Comparison
from qbench.results.gates.gate import Objection
from qbench.results.markdown import table_lines
from qbench.results.reader import Run
from qbench.results.tables import number_text

HEADINGS = ("trial", "quantity", "before", "after", "change", "95 %", "p (Holm)", "verdict", "basis")

_TELL_NOTHING = ("SAME", "UNSURE", "NOT JUDGED")


def table_rows(comparison: Comparison, *, changes_only: bool = False) -> list[tuple[str, ...]]:
    """Return one tuple of texts per row, in the order of `HEADINGS`, changes first; `changes_only` leaves out SAME."""
    rows = sorted(comparison.rows, key=lambda row: row.verdict in _TELL_NOTHING)
    return [_texts(row) for row in rows if not (changes_only and row.verdict == "SAME")]


def comparison_markdown(
    before: Run[Any], after: Run[Any], comparison: Comparison, found: Sequence[Objection] = ()
) -> str:
    """Return the whole comparison as Markdown: what is wrong, what speaks against judging it, the table."""
    lines = [f"# {after.folder.name} against {before.folder.name}", ""]
    lines += [f"- **{one.word}** `{one.key}`: {one.text}" for one in found]
    lines += [f"- {line}" for line in remarks(comparison)]
    return "\n".join([*lines, "", *table_lines(HEADINGS, table_rows(comparison))]) + "\n"


def remarks(comparison: Comparison) -> list[str]:
    """Return what a reader must know beside the table: counts of verdicts, missing rows, reasons not to judge."""
    words = [row.verdict for row in comparison.rows]
    counted = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    found = [counted or "the runs have no trial in common"]
    found += [f"times are not judged, the machines differ: {difference}" for difference in comparison.differences]
    found += [
        f"the machine was unstable during {folder}: ratios within rounds are judged, raw times are not"
        for folder in comparison.unstable
    ]
    found += [f"scores are not compared: {comparison.unscored}"] if comparison.unscored else []
    found += [f"also different: {one}" for one in comparison.circumstances]
    for name, keys in (("first", comparison.only_before), ("second", comparison.only_after)):
        if keys:
            found.append(f"only in the {name} run: {len(keys)} trials, e.g. {keys[0]}")
    return found


def _texts(row: ComparedRow) -> tuple[str, ...]:
    if row.kind == "accuracy":
        places = 2 if row.matters >= 0.1 else 4
        change, interval = f"{row.change:+.{places}f} {row.unit}", f"[{row.low:+.{places}f}, {row.high:+.{places}f}]"
    else:
        change = f"{row.change:.3f} x"
        interval = f"[{row.low:.3f}, {row.high:.3f}]" if row.kind == "time" else "-"
    p = "-" if row.p is None else f"{row.p:.3f}"
    before, after = number_text(row.before), number_text(row.after)
    return (row.key, row.quantity, before, after, change, interval, p, row.verdict, row.basis)
