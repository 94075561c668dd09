"""The network and its references in turns, each in a fresh process, over several sets of them (`timing.processes`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

import numpy as np

from qbench.core.tensor import Floats
from qbench.core.trial import Measurement
from qbench.engine import Session
from qbench.graph import QuantizedNetwork
from qbench.runner.load.fresh import packed, started
from qbench.runner.machine.quiet import settle
from qbench.runner.networks.bench import Bench, peer
from qbench.runner.sides.process import Process
from qbench.runner.timing.clock import Clock, PartyClock
from qbench.runner.timing.network import (
    SIMULATED,
    Scored,
    batch_of,
    check_peer,
    check_scored,
    checked_call,
    in_integers,
    measure_network,
    network_operations,
)
from qbench.runner.timing.replicates import over_processes, share_of
from qbench.runner.timing.sampling import Cell, Rules, interleave

OWN = "qbench"
Call = Callable[[], Floats]


class Elsewhere:
    """A party's call in its own process."""

    def __init__(self, process: Process, batch: int) -> None:
        self._process, self._batch = process, batch

    def elapsed_s(self, loops: int) -> float:
        """Return the seconds that `loops` calls take together, by that process' clock."""
        found: float = self._process.ask("elapsed", batch=self._batch, loops=loops)
        return found

    def __call__(self) -> None:
        """Make one untimed call."""
        self.elapsed_s(1)


def measure_speed(
    bench: Bench, session: Session, scored: Scored, *, batch: int, peers: Mapping[str, Call], rules: Rules,
    clock: Clock,
) -> tuple[Measurement, ...]:  # fmt: skip
    """Return the times of a network and of its references at one batch size, here or over fresh processes.

    Args:
        bench: holds images, fp32 answers and what peers run.
        session: what was scored.
        scored: what it runs, and its logits on the evaluation images.
        batch: images per call.
        peers: the calls of those that are ready, by name.
        rules: how many processes, and of times.
        clock: the clock.

    Raises:
        QBenchError: a process ends, or answers otherwise than was scored, or than is right.
    """
    if rules.processes == 1:
        return measure_network(bench, session, scored.answers, batch=batch, peers=peers, rules=rules, clock=clock)
    checked_call(bench, session, scored.answers, batch)
    return _elsewhere(bench, scored, batch, peers, rules, session)


def _elsewhere(
    bench: Bench, scored: Scored, batch: int, peers: Iterable[str], rules: Rules, session: Session
) -> tuple[Measurement, ...]:
    clock, operations = PartyClock(), batch * network_operations(bench.network)
    held = {OWN: scored.network, **{name: _held(bench, scored, name) for name in peers}}
    with ExitStack() as packs:
        places = {
            name: packs.enter_context(
                packed(
                    network,
                    bench.inputs,
                    party="" if name == OWN else name,
                    threads=bench.threads,
                    variant=session.variant,
                    most=batch,
                )
            )
            for name, network in held.items()
        }

        def once() -> tuple[Measurement, ...]:
            with ExitStack() as stack:
                cells = []
                for name, place in places.items():
                    process = stack.enter_context(started(place))
                    process.ask("first", batch=batch)
                    _check(bench, scored, name, np.load(place.folder / "answer.npy"), each=in_integers(session))
                    cells.append(Cell(name, Elsewhere(process, batch), batch, operations, bench.threads))
                return interleave(f"network/batch{batch}", cells, share_of(rules), clock=clock, quiet=settle)

        return over_processes(once, OWN, rules, clock=clock)


def _held(bench: Bench, scored: Scored, name: str) -> QuantizedNetwork:
    """Return what a peer runs."""
    precision = peer(name).precision
    return scored.network if precision == SIMULATED else bench.reference_network(precision)


def _check(bench: Bench, scored: Scored, name: str, found: Floats, *, each: bool) -> None:
    """Raise QBenchError where a fresh process answers wrongly: it is not timed; `each` as `check_scored` has it."""
    batch = len(found)
    if name == OWN:
        check_scored(f"batch {batch}: fresh process", found, batch_of(scored.answers, batch), each=each)
    else:
        right = scored.expected_of(bench) if peer(name).precision == SIMULATED else bench.expected_of
        check_peer(name, found, right(name, batch))
