"""Columns of what a mean time leaves out: latencies, scenarios, memory, start, energy, and operations counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import fsum
from typing import Any, NamedTuple

from qbench.core.spec import parse_spec
from qbench.core.trial import Measurement, TrialResult
from qbench.metrics.percentiles import PERCENTILES, percentile
from qbench.results.columns import MULTI, OFFLINE, SERVER, SINGLE, latency_group

_LATENCIES = {SINGLE: "single", MULTI: "multi", SERVER: "server"}
_LATENCY = re.compile(re.escape(latency_group(0)).removesuffix("0") + r"(\d+)")
_WIDTH = re.compile(r"\d+|[tb]")
HEADINGS = {
    "latency_p50_s": "p50, s",
    "latency_p90_s": "p90, s",
    "latency_p99_s": "p99, s",
    "latency_p99_s_high": "p99 at most (99 %), s",
    "latency_queries": "queries",
    "energy_j": "J a sample",
    "peak_bytes": "peak memory, bytes",
    "single_p90_s": "SingleStream p90, s",
    "multi_p99_s": "MultiStream p99, s",
    "offline_per_s": "Offline, samples/s",
    "server_per_s": "Server, queries/s",
    "arena_bytes": "buffers, bytes",
    "startup_s": "start to first answer, s",
    "first_startup_s": "first start, s",
}
"""Columns that people read -> their headings, in order; the batch size, and a library's name, come behind."""
_NAMED = re.compile(
    r"(?P<name>[a-z0-9_]*?_(?:s|j|bytes|queries))(?P<peer>_[a-z]+-[\w-]*?)?(?:_b(?P<batch>\d+))?(?P<end>_high)?"
)


class _Fact(NamedTuple):
    """A number of one party; `batch` is "" where it is of none, `end` that of an interval."""

    party: str
    name: str
    batch: str
    end: str
    value: float | None


def load_columns(result: TrialResult) -> dict[str, Any]:
    """Return the columns of `qbench.results.columns.LOADED` that a row has, by name; None where there is no bound."""
    own = result.trial.backend
    return {
        one.name
        + ("" if one.party == own else f"_{one.party}")
        + (f"_b{one.batch}" if one.batch else "")
        + one.end: one.value
        for one in _facts(result)
    }


def load_rows(results: Iterable[TrialResult]) -> list[dict[str, Any]]:
    """Return a record for each party and batch size of each row, by `HEADINGS`, with `trial`, `party` and `batch`.

    What is of no batch size stands in a record of its own, whose `batch` is "".
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for result in results:
        for one in _facts(result):
            if (name := one.name + one.end) in HEADINGS and one.value is not None:
                place = (result.trial.key, one.party, one.batch)
                found.setdefault(place, dict(zip(("trial", "party", "batch"), place, strict=True)))[name] = one.value
    return list(found.values())


def is_shown(column: str) -> bool:
    """Return whether people read a column of the frame in tables."""
    return _named(column)[0] in HEADINGS


def load_heading(column: str) -> str:
    """Return the heading of a column that is shown, e.g. `p99, s, onnxruntime-fp32, batch 8`."""
    name, party, batch = _named(column)
    return ", ".join(filter(None, (HEADINGS[name], party, batch and f"batch {batch}")))


def _named(column: str) -> tuple[str, str, str]:
    """Return what a column is, whose it is ("" for the row's own), and its batch size, "" where there is none."""
    match = _NAMED.fullmatch(column)
    if match is None:
        return "", "", ""
    return match["name"] + (match["end"] or ""), (match["peer"] or "_")[1:], match["batch"] or ""


def _facts(result: TrialResult) -> Iterator[_Fact]:
    for measurement in result.measurements:
        yield from _of_measurement(measurement)
    for party, seen in result.observed.items():
        for column, number in seen.items():
            match = re.fullmatch(r"(.*?)(?:_b(\d+))?", column)
            assert match is not None
            yield _Fact(party, match[1], match[2] or "", "", number)


def _of_measurement(found: Measurement) -> Iterator[_Fact]:
    """Yield every number that a measurement makes."""
    if not found.samples_s:
        return
    if found.group == OFFLINE:
        yield _Fact(found.cell, "offline_per_s", "", "", found.items * len(found.samples_s) / fsum(found.samples_s))
    latency = _LATENCY.fullmatch(found.group)
    word = "latency" if latency else _LATENCIES.get(found.group)
    if word is None:
        return
    batch = latency[1] if latency else ""
    yield _Fact(found.cell, f"{word}_queries", batch, "", len(found.samples_s))
    for percent in PERCENTILES:
        value, low, high = percentile(found.samples_s, percent)
        for end, seconds in (("", value), ("_low", low), ("_high", high)):
            yield _Fact(found.cell, f"{word}_p{percent}_s", batch, end, seconds)


def counted(result: TrialResult) -> dict[str, float]:
    """Return multiply-adds of layers an image, by the widths of what is multiplied, and their bit operations."""
    found: dict[str, float] = {}
    for layer in result.layer_rows:
        weights, activations, operations = layer.get("spec"), layer.get("activations"), layer.get("operations")
        if not (isinstance(weights, str) and isinstance(activations, str) and operations):
            continue  # rows of before said less of their layers
        spec, macs = parse_spec(f"w{weights}-a{activations}"), float(operations) / 2
        name = f"macs_w{_width(weights)}_a{_width(activations)}"
        found[name] = found.get(name, 0.0) + macs
        bits = spec.weights.format.bits * spec.activations.format.bits
        found["bit_operations"] = found.get("bit_operations", 0.0) + macs * bits
    return found


def _width(token: str) -> str:
    match = _WIDTH.match(token)
    assert match is not None, token
    return match[0]
