"""The times of a network that is quantized once: beside its references, step by step, and what the machine can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qbench.core.tensor import Floats
from qbench.engine import Session
from qbench.engine.saved.network import SavedNetwork
from qbench.results.quantized import StepTime
from qbench.runner.bench import Bench
from qbench.runner.machine import ceilings, lock
from qbench.runner.machine.canary import Canary, is_unstable
from qbench.runner.row import Row
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import measure_network, ready_peers
from qbench.runner.timing.sampling import Rules
from qbench.runner.timing.steps import step_times
from qbench.suite import Planned

Tell = Callable[[str], None]
WAITING = "waiting for another qbench on this machine: times are taken alone"


@dataclass(frozen=True, slots=True)
class Timing:
    """What the clock found beside the row's measurements.

    Args:
        steps: of one pass on one thread.
        pass_s: of the whole call.
        ceilings: of this machine, the better of two measurements, before and after.
        unstable: whether the machine moved meanwhile.
    """

    steps: tuple[StepTime, ...]
    pass_s: float
    ceilings: dict[str, float]
    unstable: bool


def take_times(
    planned: Planned,
    bench: Bench,
    session: Session,
    row: Row,
    saved: SavedNetwork,
    *,
    logits: Floats,
    rules: Rules,
    clock: Clock,
    quick: bool,
    tell: Tell,
) -> Timing:
    """Fill in the times beside the references, and return those of steps and what the machine can do.

    Args:
        planned: what is timed.
        bench: network and images.
        session: what was scored.
        row: gets the measurements, and a note for each reference that cannot run.
        saved: the same network, to be run on one thread.
        logits: what `session` answered on the evaluation images.
        rules: how long and how precisely.
        clock: the clock.
        quick: whether times are taken roughly.
        tell: is told of every phase.
    """
    with lock.timing(on_wait=lambda: tell(WAITING)):
        tell("measuring what this machine can do")
        before = ceilings.measure(bench.threads, quick=quick)
        canary = Canary(clock)
        readings = [canary.read("before").as_dict()]
        peers, notes = ready_peers(bench, bench.references.names, batches=planned.trial.batch_sizes)
        row.notes += notes
        for batch in planned.trial.batch_sizes:
            tell(f"timing batch {batch}")
            row.measurements += measure_network(
                bench, session, logits, batch=batch, peers=peers[batch],
                rules=rules, clock=clock,
            )  # fmt: skip
        tell("timing every step")
        steps, pass_s = _alone(planned, bench, saved, clock=clock)
        after = ceilings.measure(bench.threads, quick=quick)
        readings.append(canary.read("after").as_dict())
    best = {name: max(value, after.get(name, 0.0)) for name, value in before.items()}
    return Timing(steps, pass_s, best, is_unstable(readings))


def _alone(planned: Planned, bench: Bench, saved: SavedNetwork, *, clock: Clock) -> tuple[tuple[StepTime, ...], float]:
    """Return the steps and the whole call on one thread."""
    alone = saved.session(threads=1, variant=planned.trial.variant)
    try:
        return step_times(alone, bench.inputs, clock=clock)
    finally:
        alone.close()
