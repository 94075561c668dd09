"""A table of Markdown, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table's lines; a bar in a cell is escaped."""
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings), *body]
