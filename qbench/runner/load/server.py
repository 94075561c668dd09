"""The server of MLPerf's scenarios: the largest rate of Poisson arrivals whose p99 stays under a bound.

A rate holds when the upper end of its p99's interval (99 %) is within the bound: as sure as MLPerf's early stopping
makes it. It does not hold when two tries of it failed: one try may have met a neighbour. Rates are searched by halves
between the largest that holds and the smallest that does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qbench.metrics.percentiles import overshoots_allowed, percentile
from qbench.runner.load.queries import as_they_arrive, poisson_arrivals, queries_wanted
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import LoadRules

PERCENT = 99
TRIES = 2
BOUNDS = 10
"""A try lasts for so many times the bound at least: a queue that grows needs time to show."""
_LOW = 0.02
"""Share of what one query after the other gives, below which no rate is looked for."""


class Tried(NamedTuple):
    """Whether a rate held, and latencies in seconds: of all queries, or of those before the bound was broken."""

    holds: bool
    latencies_s: Sequence[float]


Try = Callable[[float, int, int], Tried]
"""Rate, queries and number of the try -> what came of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search says.

    Args:
        rate_hz: the largest rate that held; 0 where none did, None where tries are too short to tell.
        over_hz: the smallest rate that did not hold; the most that one query after the other gives where all did.
        held_s: latencies at `rate_hz`.
        over_s: latencies of a try at `over_hz`; empty where none failed.
    """

    rate_hz: float | None
    over_hz: float
    held_s: Sequence[float] = ()
    over_s: Sequence[float] = ()


def largest_rate(tried: Try, *, capacity_hz: float, rules: LoadRules) -> Found:
    """Search the largest rate whose p99 stays under the bound of `rules`.

    Args:
        tried: serves queries at a rate.
        capacity_hz: queries a second, one after the other: no server of one queue does more for long.
        rules: the bound, the least queries of a try, how long one may last, and how near both ends shall come.
    """
    assert rules.bound_s is not None
    low, high = 0.0, capacity_hz
    held: Sequence[float] = ()
    over: Sequence[float] = ()
    while high > max(low, _LOW * capacity_hz) * (1.0 + rules.tolerance):
        rate = math.sqrt(low * high) if low else high / 2
        count = _count(rate, rules)
        if overshoots_allowed(PERCENT, count) < 0:
            return Found(None, high, held, over)
        for number in range(TRIES):
            one = tried(rate, count, number)
            if one.holds:
                low, held = rate, one.latencies_s
                break
        else:
            high, over = rate, one.latencies_s
    return Found(low, high, held, over)


def _count(rate_hz: float, rules: LoadRules) -> int:
    """Return the queries of a try: enough for the percentile and for a queue to grow, within the time."""
    assert rules.bound_s is not None
    return int(min(max(queries_wanted(rules), BOUNDS * rules.bound_s * rate_hz), rules.seconds * rate_hz))


def _holds(latencies_s: Sequence[float], bound_s: float) -> bool:
    high_s = percentile(latencies_s, PERCENT).high_s
    return high_s is not None and high_s <= bound_s


def serving(call: Callable[[], object], bound_s: float, *, clock: Clock, quiet: Callable[[], None], seed: int) -> Try:
    """Return what serves queries by a call, first come first served; a try ends when its p99 is over the bound."""

    def tried(rate_hz: float, count: int, number: int) -> Tried:
        most, over = overshoots_allowed(PERCENT, count), 0

        def enough(latency_s: float) -> bool:
            nonlocal over
            over += latency_s > bound_s
            return over > most

        quiet()
        call()
        arrivals = poisson_arrivals(rate_hz, count, seed=seed + number)
        latencies = as_they_arrive(call, arrivals, clock=clock, enough=enough)
        return Tried(len(latencies) == count and _holds(latencies, bound_s), latencies)

    return tried
