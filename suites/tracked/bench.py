"""The network of all tracked numbers, quantized and compiled, and how long it is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qbench.engine import Session, build_session
from qbench.runner.machine.lock import timing
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Rules
from qbench.suite import Suite, expand

THREADS = 2
RULES = Rules(precision=0.02, seconds_a_cell=0.7)
METHODS = {"w8c-a8t": "mse", "w4c-a8t": "mse", "wtc-a8t": "ternary", "wbc-abt": "binary"}


def workbench() -> Bench:
    """Return the packaged network and images."""
    return bench_of(_suite())


def _suite() -> Suite:
    """Return a suite with a sweep for each tracked spec."""
    sweeps = tuple(
        {"name": f"tracked-{number}", "spec": (spec,), "method": (method,)}
        for number, (spec, method) in enumerate(METHODS.items())
    )
    facts = {"name": "tracked", "model": "resnet20", "data": "cifar10-shard", "threads": THREADS, "sweeps": sweeps}
    return Suite.model_validate(facts)


def sessions(bench: Bench) -> dict[str, Session]:
    """Return the network quantized by each tracked spec, with everything compiled."""
    found = {}
    for planned in expand(_suite(), [layer.name for layer in bench.network.layers])[1:]:
        made = bench.quantized(planned.trial, Phases(Clock()))
        session = build_session(made, threads=THREADS)
        session.compile()
        found[planned.trial.spec] = session
    return found


@contextmanager
def alone() -> Iterator[Callable[[], None]]:
    """Have the machine to ourselves; yield what `interleave` calls before each turn."""
    with timing(), quiet_cores(THREADS) as quiet:
        yield quiet
