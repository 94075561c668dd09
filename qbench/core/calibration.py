"""The vocabulary of calibration: where the samples come from that ranges are chosen on, and that stages look at."""

from __future__ import annotations

from collections.abc import Mapping

from qbench.errors import QBenchError, suggest

DATA, NOISE, BATCH_NORM, NONE = "data", "noise", "batch-norm", "none"

SOURCES: Mapping[str, str] = {
    DATA: "samples of the data that are not evaluated",
    NOISE: "normal numbers with the data's mean and deviation of each channel: no data is needed",
    BATCH_NORM: "noise that is learned until what the network's batch norms see has the statistics that they hold",
    NONE: "no samples: for recipes that only look at weights",
}
"""Word -> what it means."""


def parse_source(text: str) -> str:
    """Return a source as trials name it, `""` for the data's own samples; raise QBenchError for any other word."""
    if text and text not in SOURCES:
        raise QBenchError(f"unknown source of calibration samples '{text}'{suggest(text, SOURCES)}")
    return "" if text == DATA else text
