"""What a reader should know of a run before believing its numbers."""

from __future__ import annotations

from qbench.report import machine
from qbench.results import RunHeader

Banner = tuple[str, str]
"""Tone and sentence."""


def run_banners(header: RunHeader, failed: str) -> list[Banner]:
    """Return what is true of a run of any kind.

    Args:
        header: of the run.
        failed: how many rows failed, and where the reasons stand; "" when none did.
    """
    found = []
    if header.unstable:
        moved = machine.canary_move(header)
        found.append(
            ("bad", f"This machine was not steady while it was timed{moved}. Believe paired ratios, not times.")
        )
    if not header.state.finished:
        found.append(("warn", "This run is not finished: rows are missing. The same command continues it."))
    if header.suite.quick:
        found.append(("warn", "A quick run: fewer samples and wider intervals than a whole one."))
    return [*found, *([("bad", failed)] if failed else [])]
