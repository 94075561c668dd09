"""The same session under MLPerf's own load generator: what qbench's percentiles and rates are held against.

Needs the package `mlcommons-loadgen`. It schedules and times queries by itself; here they are answered, one at a time.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qbench.core.several import arrays_of
from qbench.engine import build_session
from qbench.errors import NotInstalledError, QBenchError
from qbench.metrics.percentiles import percentile
from qbench.quantization import layer_kinds
from qbench.runner.load.queries import one_by_one, queries_wanted
from qbench.runner.load.server import Found, Tried, largest_rate, serving
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.networks.kind import bench_of
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.rules import network_rules
from qbench.runner.timing.sampling import Cell, LoadRules
from qbench.suite import Suite, expand, load_suite

SUITE = Path("latency")
TURNS, SEARCHES = 4, 2
"""Turns of both, so that a slow spell of the machine meets both; of latencies and of searches for a rate."""
SLACK = 2.0
"""The server's bound is so many times the p99 of one query after the other, where what the suite declares is less."""
_SUMMARY, _TRACE = "mlperf_log_summary.txt", "mlperf_log_trace.json"
_ANSWERED = re.compile(r'"name":"Sample".*"complete_ns":(\d+)')
_SAMPLES = 16
"""Of its library of samples: which one a query names makes no difference here."""

Call = Callable[[], object]
Tell = Callable[[str], None]
Ends = tuple[float, float, float]
"""A figure, and both ends of its interval."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both, each with the ends of its interval.

    Args:
        name: e.g. `p99, s`.
        own: of qbench.
        other: of the load generator.
    """

    name: str
    own: Ends
    other: Ends

    @property
    def agrees(self) -> bool:
        """Whether the intervals meet."""
        return self.own[1] <= self.other[2] and self.other[1] <= self.own[2]


class LoadGen:
    """MLPerf's load generator.

    Args:
        call: answers one query.

    Raises:
        NotInstalledError: the package is not here.
    """

    def __init__(self, call: Call) -> None:
        try:
            import mlperf_loadgen
        except ImportError as error:
            raise NotInstalledError("mlcommons-loadgen is not installed: pip install mlcommons-loadgen") from error
        self._package: Any = mlperf_loadgen
        self._call = call

    def single(self, queries: int) -> list[float]:
        """Return latencies of so many queries, one after the other (SingleStream)."""
        settings = self._settings(self._package.TestScenario.SingleStream, queries)
        return self._run(settings)[1]

    def itself(self, queries: int) -> list[float]:
        """Return latencies of queries that are answered at once: what it takes for itself, and for Python's call."""
        return LoadGen(lambda: None).single(queries)

    def server(self, rate_hz: float, queries: int, bound_s: float, *, seed: int) -> Tried:
        """Serve so many Poisson arrivals; what it calls VALID holds."""
        settings = self._settings(self._package.TestScenario.Server, queries)
        settings.server_target_qps = rate_hz
        settings.server_target_latency_ns = round(1e9 * bound_s)
        settings.server_target_latency_percentile = 0.99
        settings.schedule_rng_seed = seed + 1
        valid, latencies = self._run(settings)
        return Tried(valid, latencies)

    def _settings(self, scenario: Any, queries: int) -> Any:
        settings = self._package.TestSettings()
        settings.scenario, settings.mode = scenario, self._package.TestMode.PerformanceOnly
        settings.min_query_count = settings.max_query_count = queries
        settings.min_duration_ms = 0
        return settings

    def _run(self, settings: Any) -> tuple[bool, list[float]]:
        """Return whether it calls the run valid, and the latencies in its trace."""
        with tempfile.TemporaryDirectory(prefix="qbench-loadgen-") as folder, self._parts() as parts:
            logs = self._package.LogSettings()
            logs.log_output.outdir = folder
            logs.enable_trace = True
            self._package.StartTestWithLogSettings(*parts, settings, logs)
            summary = (Path(folder) / _SUMMARY).read_text(encoding="utf-8")
            trace = (Path(folder) / _TRACE).read_text(encoding="utf-8")
        return "Result is : VALID" in summary, trace_latencies(trace)

    @contextmanager
    def _parts(self) -> Iterator[tuple[Any, Any]]:
        package = self._package

        def issue(samples: Sequence[Any]) -> None:
            for sample in samples:
                self._call()
                package.QuerySamplesComplete([package.QuerySampleResponse(sample.id, 0, 0)])

        system = package.ConstructSUT(issue, lambda: None)
        library = package.ConstructQSL(_SAMPLES, _SAMPLES, lambda _: None, lambda _: None)
        try:
            yield system, library
        finally:
            package.DestroyQSL(library)
            package.DestroySUT(system)


def trace_latencies(trace: str) -> list[float]:
    """Return the seconds from each query's scheduled arrival to its answer, as a trace has them, in their order."""
    return [1e-9 * int(answered) for answered in _ANSWERED.findall(trace)]  # a trace is not always whole JSON


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """The same calls by qbench and by the load generator, in turns.

    Args:
        call: answers one query.
        other: the load generator on the same call.
        rules: queries, and the bound of the server.
        clock: the clock.
        quiet: returns when no other thread is busy.
        tell: hears what is being done.
    """

    call: Call
    other: LoadGen
    rules: LoadRules
    clock: Clock
    quiet: Callable[[], None]
    tell: Tell

    def compared(self) -> Iterator[Compared]:
        """Yield p50, p90, p99 of one query after the other, and the largest rate of a server.

        From the load generator's latencies its own time is taken off.
        """
        queries, own, theirs = -(-queries_wanted(self.rules) // TURNS), list[float](), list[float]()
        for turn in range(TURNS):
            self.tell(f"one query after the other, turn {turn + 1} of {TURNS}")
            own += self._single(queries)
            self.quiet()
            theirs += self.other.single(queries)
        spent_s = _ends(self.other.itself(queries), 50)[0]
        theirs = [max(0.0, latency_s - spent_s) for latency_s in theirs]
        for percent in (50, 90, 99):
            ends = [_ends(latencies, percent) for latencies in (own, theirs)]
            yield Compared(f"p{percent}, s", ends[0], ends[1])
        assert self.rules.bound_s is not None
        bound_s = max(self.rules.bound_s, SLACK * _ends([*own, *theirs], 99)[0])
        yield self._rates(bound_s, capacity_hz=1.0 / _ends(own, 50)[0])

    def _single(self, queries: int) -> Sequence[float]:
        part = replace(self.rules, queries=queries)
        return one_by_one("load", [Cell("qbench", self.call, 1)], part, clock=self.clock, quiet=self.quiet)[0].samples_s

    def _rates(self, bound_s: float, *, capacity_hz: float) -> Compared:
        rules = replace(self.rules, bound_s=bound_s)

        def served(rate_hz: float, queries: int, number: int) -> Tried:
            self.quiet()
            return self.other.server(rate_hz, queries, bound_s, seed=number)

        own = serving(self.call, bound_s, clock=self.clock, quiet=self.quiet, seed=0)
        found: dict[str, list[Found]] = {"own": [], "other": []}
        for turn in range(SEARCHES):
            self.tell(f"the largest rate of a server, turn {turn + 1} of {SEARCHES}")
            for name, tried in (("own", own), ("other", served)):
                found[name].append(largest_rate(tried, capacity_hz=capacity_hz, rules=rules))
        return Compared(
            f"server, queries/s, p99 under {1e3 * bound_s:.3g} ms", _hull(found["own"]), _hull(found["other"])
        )


def _ends(latencies_s: Sequence[float], percent: int) -> Ends:
    """Return a percentile and its interval, without an end where queries are too few."""
    value_s, low_s, high_s = percentile(latencies_s, percent)
    return value_s, low_s or 0.0, math.inf if high_s is None else high_s


def _hull(found: Sequence[Found]) -> Ends:
    """Return the mean rate that held, the least of them, and the largest that did not hold in a search."""
    rates = [one.rate_hz or 0.0 for one in found]
    return sum(rates) / len(rates), min(rates), max(one.over_hz for one in found)


def check_load(tell: Tell, *, suite: Path = SUITE) -> list[Compared]:
    """Return what both say of one session: the first quantized network of a suite, on one thread.

    Raises:
        NotInstalledError: the load generator is not here.
        QBenchError: the suite cannot be read, or declares no bound.
    """
    asked = load_suite(suite, overrides=("threads=1", "data_limit=64"))
    if not isinstance(asked, Suite) or asked.timing.bound_s is None:
        raise QBenchError(f"{suite}: expected a suite of a network with 'timing: {{bound_s: SECONDS}}'")
    tell(f"quantizing {asked.model}")
    bench, clock = bench_of(asked), Clock()
    _, planned, *_ = expand(asked, layer_kinds(bench.network), kept=bench.kept_token)
    inputs = arrays_of(bench.inputs[:1])
    with build_session(bench.quantized(planned.trial, Phases(clock)), threads=1) as session, quiet_cores(1) as quiet:
        session.compile()

        def call() -> object:
            return session.run(*inputs)

        rules = network_rules(asked, quick=False).load
        return list(Both(call, LoadGen(call), rules, clock, quiet, tell).compared())
