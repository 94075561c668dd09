"""What a kind of experiment is to this room: the page of its runs, with its plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.core.kinds import part
from qbench.results import Run


@dataclass(frozen=True, slots=True)
class PageKind:
    """The page of one kind.

    Args:
        page: runs, and the folder that their plots are written into -> the HTML.
        several: whether several runs may stand side by side.
    """

    page: Callable[[Sequence[Run[Any]], Path], str]
    several: bool


def page_kind(kind: str) -> PageKind:
    """Return what this room knows of a kind."""
    found: PageKind = part(kind, "report")
    return found
