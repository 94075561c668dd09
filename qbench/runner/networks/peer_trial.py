"""A trial whose network a peer runs (`backend: onnxruntime-int8`): the same scores and times of other arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qbench.core.several import arrays_of
from qbench.core.tensor import Floats
from qbench.core.trial import Execution, Trial
from qbench.errors import QBenchError
from qbench.graph import QuantizedNetwork
from qbench.peers import Prepared
from qbench.results.left_out import NOT_TIMED
from qbench.runner.load.measure import Load, Own
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.networks.bench import Bench, Expected, peer, simulation
from qbench.runner.networks.row import Row
from qbench.runner.networks.score import all_logits, answers
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import CHECKED_IMAGES, SIMULATED, batch_of, check_peer, network_operations
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Cell, Rules, interleave
from qbench.suite import Planned

_EXECUTIONS: Mapping[str, Execution] = {"int8": "integer", SIMULATED: "simulated"}
"""What a row of a peer that is handed codes says of its arithmetic."""


def why_not(trial: Trial) -> str | None:
    """Return why the trial's peer cannot run its spec here, or None."""
    chosen = peer(trial.backend)
    reason = chosen.missing()
    if reason is not None:
        return f"{trial.backend}: {reason}"
    reason = chosen.supports(trial)
    return None if reason is None else f"{trial.backend} {reason}"


def run_peer(planned: Planned, bench: Bench, row: Row, phases: Phases, *, rules: Rules, clock: Clock) -> str | None:
    """Fill `row` with a peer's scores and times; return why the peer cannot do the trial, or None.

    Raises:
        QBenchError: the peer refuses the model.
    """
    trial = planned.trial
    reason = why_not(trial)
    if reason is not None:
        return reason
    with phases("pack"):
        handed = _handed(trial, bench, phases)
        prepared = peer(trial.backend).prepare(handed, threads=bench.threads)
    with phases("score"):
        logits = all_logits(prepared, bench.inputs)
        try:
            check_peer(
                trial.backend, logits[:CHECKED_IMAGES], _expected(handed, bench, min(CHECKED_IMAGES, len(logits)))
            )
        except QBenchError as error:
            return str(error)
        row.score(logits, bench.answers)
    precision = peer(trial.backend).precision
    row.execution = _EXECUTIONS.get(precision, "float32")
    if precision == "bf16":
        row.notes.append(f"{trial.backend} computes in bfloat16")
    if trial.batch_sizes:
        try:
            _time(planned, bench, (prepared, handed), row, phases, rules=rules, clock=clock)
            own = Own(trial.backend, lambda batch: _call(trial, bench, prepared, handed, batch), handed, logits[:1])
            Load(bench, own, (), rules, clock).measure(planned, row, phases)
        except QBenchError as error:
            row.notes.append(f"{NOT_TIMED}{error}")
    return None


def _time(
    planned: Planned, bench: Bench, ready: tuple[Prepared, QuantizedNetwork], row: Row, phases: Phases, *,
    rules: Rules, clock: Clock,
) -> None:  # fmt: skip
    """Fill in the peer's times; raise QBenchError when it answers a batch of this size wrongly.

    `ready` holds the peer and what it was handed.
    """
    trial = planned.trial
    for batch in trial.batch_sizes if "speed" in planned.measure else ():
        call, operations = _call(trial, bench, *ready, batch), batch * network_operations(bench.network)
        cell = Cell(trial.backend, call, batch, operations, bench.threads)
        with phases("time"), quiet_cores(bench.threads) as quiet:
            row.measurements += interleave(f"network/batch{batch}", [cell], rules, clock=clock, quiet=quiet)


def _call(trial: Trial, bench: Bench, prepared: Prepared, handed: QuantizedNetwork, batch: int) -> Callable[[], Floats]:
    """Return the peer's call on the first samples; raise QBenchError when it answers wrongly."""
    inputs = batch_of(bench.inputs, batch)
    check_peer(trial.backend, answers(prepared, inputs), _expected(handed, bench, batch))
    return prepared.bind(*arrays_of(inputs))


def _handed(trial: Trial, bench: Bench, phases: Phases) -> QuantizedNetwork:
    """Return what the peer is to run."""
    if peer(trial.backend).precision not in _EXECUTIONS:
        return QuantizedNetwork(bench.network)
    return bench.quantized(trial, phases)


def _expected(handed: QuantizedNetwork, bench: Bench, size: int) -> Expected:
    """Return what answers to the first `size` samples are held against."""
    plain = batch_of(bench.answers.logits, size)
    if handed.is_float:
        return Expected(plain)
    return Expected(plain, simulation(handed, batch_of(bench.inputs, size), threads=bench.threads))
