"""What a plot is: a finding, its conditions, and a function that draws it at a size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from qbench.report.style import Layout


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure of the report.

    Args:
        name: file name without suffix.
        title: the finding, one sentence.
        subtitle: the conditions it holds under.
        draw: makes the figure at a layout's size.
    """

    name: str
    title: str
    subtitle: str
    draw: Callable[[Layout], Figure]
