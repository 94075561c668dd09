"""What a kind of experiment is to this room: the page of its runs, with its plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.core.kinds import part
from qbench.report.plots.plot import Plot
from qbench.results import Run


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run answers.

    Args:
        lines: sentences, the answer first.
        headings: of the table of the rows that matter.
        rows: its cells as text.
    """

    lines: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class PageKind:
    """The page of one kind.

    Args:
        page: runs, and the folder that their plots are written into -> the HTML.
        several: whether several runs may stand side by side.
        plots: a run -> its plots, those that it has data for.
        answer: a run -> what it answers.
    """

    page: Callable[[Sequence[Run[Any]], Path], str]
    several: bool
    plots: Callable[[Run[Any]], Sequence[Plot]]
    answer: Callable[[Run[Any]], Answered]


def page_kind(kind: str) -> PageKind:
    """Return what this room knows of a kind."""
    found: PageKind = part(kind, "report")
    return found
