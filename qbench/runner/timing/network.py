"""Time of the whole network, in turns with the suite's references. No correct answer, no time.

Each cell is called on the very images that are timed, and its logits are compared before any clock runs: qbench's with
those that were scored, a peer's with fp32's, an int8 peer's with what its codes give in qbench's own arithmetic. A peer
that is wrong is left out, and the row says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from qbench.core.several import Inputs, arrays_of, contiguous
from qbench.core.tensor import Floats
from qbench.core.trial import Measurement
from qbench.engine import Session
from qbench.errors import QBenchError
from qbench.graph import Network, QuantizedNetwork
from qbench.metrics.tensor import sqnr_db
from qbench.results.left_out import NOT_TIMED
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.networks.bench import Bench, Expected, peer
from qbench.runner.networks.score import answers
from qbench.runner.timing.allocations import refuse_allocations
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.elements import ROUNDED, far_element
from qbench.runner.timing.sampling import Cell, Rules, interleave

LEAST_SQNR_DB = {"fp32": 60.0, "bf16": 20.0}
"""A peer's logits must be this near to fp32's. bfloat16 stands near 40 dB."""
_SAME_CODES_DB, _WRONG_DB, _SLACK_DB = 20.0, 5.0, 6.0
"""Two runtimes of the same codes stand above the first, or, where noise is large, at most 6 dB nearer to fp32 than to
each other; saturated or wrong products, and biases that a file cannot hold, fall below the second."""
_LARGEST_ITEM = 8
"""Bytes of a number of an answer, at most."""
CHECKED_IMAGES = 64
"""Samples on which a peer's answers are held against the right ones."""

SIMULATED = "simulated"
"""The precision of peers that simulate the row which they take turns with."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A row's quantized network, and its answers to the evaluation samples."""

    network: QuantizedNetwork
    answers: Floats

    def expected_of(self, bench: Bench) -> Callable[[str, int], Expected]:
        """Return what answers of a peer that simulates the network are held against, as `Bench.expected_of` does."""
        return lambda _, size: Expected(batch_of(bench.answers.logits, size), batch_of(self.answers, size))


Taken = TypeVar("Taken", Floats, Inputs)
Calls = dict[str, Callable[[], Floats]]
"""By name, what a peer's turn is: its answer to the very images that are timed."""


def batch_of(inputs: Taken, size: int) -> Taken:
    """Return `size` samples, the first ones, again from the front when there are too few."""
    return contiguous(inputs[np.arange(size) % len(inputs)])  # type: ignore[return-value]  # of the type that it takes


def network_operations(network: Network) -> int:
    """Return the operations of all layers per image, two per multiply-add."""
    return sum(network.operations(layer.name) for layer in network.layers)


def ready_peers(
    bench: Bench, names: Sequence[str], *, batches: Sequence[int], row: Scored | None = None
) -> tuple[dict[int, Calls], list[str]]:
    """Return the calls of the peers that run here and answer as fp32 does, and a remark for each of the others.

    Args:
        bench: holds images and fp32 answers; without right answers of the independent runtime nothing can be compared.
        names: the peers.
        batches: images per call; a peer that is wrong in one of them is timed in none.
        row: the network of the row that they take turns with, and its answers, for peers that simulate it.
    """
    ready: dict[int, Calls] = {batch: {} for batch in batches}
    notes = []
    for name in names:
        try:
            calls = _checked_calls(bench, name, batches, row)
        except QBenchError as error:
            notes.append(f"{NOT_TIMED}{error}")
        except Exception as error:  # a library's own, on a network that it does not like: it costs that peer alone
            first = (str(error).strip() or "no message").splitlines()[0]
            notes.append(f"{NOT_TIMED}{name}: {type(error).__name__}: {first}")
        else:
            for batch, call in calls.items():
                ready[batch][name] = call
    return ready, notes


def _checked_calls(
    bench: Bench, name: str, batches: Sequence[int], row: Scored | None
) -> dict[int, Callable[[], Floats]]:
    """Return a peer's call for each batch size; raise what it raises, or QBenchError when it answers wrongly."""
    own = row if peer(name).precision == SIMULATED else None
    if peer(name).precision == SIMULATED and (own is None or not own.network.activations):
        raise QBenchError(f"{name}: simulates rows of quantized activations whose speed is measured, no others")
    images = bench.inputs[:CHECKED_IMAGES]
    prepared = bench.reference(name) if own is None else bench.prepare(name, lambda: own.network)
    right = bench.expected_of if own is None else own.expected_of(bench)
    check_peer(name, answers(prepared, images), right(name, len(images)))
    calls = {}
    for batch in batches:
        calls[batch] = prepared.bind(*arrays_of(batch_of(bench.inputs, batch)))
        check_peer(name, calls[batch]().reshape(batch, -1), right(name, batch))
    return calls


def measure_network(
    bench: Bench,
    session: Session,
    scored: Floats,
    *,
    batch: int,
    peers: Mapping[str, Callable[[], Floats]],
    rules: Rules,
    clock: Clock,
) -> tuple[Measurement, ...]:
    """Return the times of `session` and of the peers at one batch size.

    Args:
        bench: holds images and fp32 answers.
        session: what was scored.
        scored: its logits on the evaluation images.
        batch: images per call.
        peers: the calls of those that are ready, by name.
        rules: length and number of samples.
        clock: the clock.

    Raises:
        QBenchError: `session` answers otherwise on the images that are timed than it was scored.
    """
    own = checked_call(bench, session, scored, batch)
    operations = batch * network_operations(bench.network)

    def cell(name: str, call: Callable[[], object]) -> Cell:
        return Cell(name, call, items=batch, operations=operations, threads=bench.threads)

    cells = [cell("qbench", own)]
    cells += [cell(name, call) for name, call in peers.items()]
    with quiet_cores(bench.threads) as quiet:
        return interleave(f"network/batch{batch}", cells, rules, clock=clock, quiet=quiet)


def checked_call(bench: Bench, session: Session, scored: Floats, batch: int) -> Callable[[], Floats]:
    """Return a session's call on the first samples, which is about to be timed.

    Raises:
        QBenchError: it answers otherwise than it was scored, in one number too, or it allocates more than its answer.
    """
    inputs = batch_of(bench.inputs, batch)
    check_scored(f"batch {batch}", answers(session, inputs), batch_of(scored, batch), each=in_integers(session))
    arrays = arrays_of(inputs)

    def call() -> Floats:
        return session.run(*arrays)

    if not session.network.foreign:  # what another library allocates is its own affair
        answer = sum(_LARGEST_ITEM * math.prod(bench.network.shapes[name]) for name in bench.network.outputs)
        refuse_allocations(f"batch {batch}", call, answer_bytes=batch * answer)
    return call


def in_integers(session: Session) -> bool:
    """Whether every number is computed here and in integers, so that it is the same wherever it is computed."""
    return not session.network.foreign and session.execution == "integer"


def check_scored(where: str, found: Floats, scored: Floats, *, each: bool) -> None:
    """Raise QBenchError where answers are not those that were scored; with `each`, where a single number is not."""
    distance_db = sqnr_db(scored, found)
    if not distance_db >= LEAST_SQNR_DB["fp32"]:
        raise QBenchError(f"{where}: logits are {distance_db:.0f} dB from those that were scored; not timed")
    far = far_element(found, scored, ROUNDED) if each else ""
    if far:
        raise QBenchError(f"{where}: a logit is {far}, as it was scored; not timed")


def check_peer(name: str, found: Floats, expected: Expected) -> None:
    """Raise QBenchError when a peer's logits are further from the right ones than its precision explains."""
    if expected.simulated is None:
        right, whose, least_db = expected.plain, "fp32's", LEAST_SQNR_DB[peer(name).precision]
    else:
        right, whose = expected.simulated, "those of the same codes here"
        least_db = max(_WRONG_DB, min(_SAME_CODES_DB, sqnr_db(expected.plain, right) - _SLACK_DB))
    distance_db = sqnr_db(right, found)
    if not distance_db >= least_db:
        raise QBenchError(
            f"{name}: logits of a batch of {len(found)} are {distance_db:.1f} dB from {whose}, "
            f"expected at least {least_db:.0f} dB"
        )
