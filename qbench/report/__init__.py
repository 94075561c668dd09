"""Plots and one self-contained HTML page of one run, or of several side by side. Reads results only.

Nothing here measures or scores: the numbers are those of `qbench.results.index`, so that page and tables agree.
"""

from __future__ import annotations

from qbench.report.write import write_report

__all__ = ["write_report"]
