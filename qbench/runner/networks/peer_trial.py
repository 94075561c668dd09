"""A trial whose network a peer runs (`backend: onnxruntime-int8`): the same scores and times of other arithmetic."""

from __future__ import annotations

from qbench.core.trial import Trial
from qbench.errors import QBenchError
from qbench.graph import QuantizedNetwork
from qbench.peers import Prepared
from qbench.results.left_out import NOT_TIMED
from qbench.runner.machine.quiet import quiet_cores
from qbench.runner.networks.bench import Bench, peer
from qbench.runner.networks.row import Row
from qbench.runner.networks.score import all_logits
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import batch_of, check_peer, network_operations
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Cell, Rules, interleave
from qbench.suite import Planned


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
        prepared = _prepare(trial, bench, phases)
    with phases("score"):
        logits = all_logits(prepared, bench.inputs)
        row.score(logits, bench.answers)
    precision = peer(trial.backend).precision
    row.execution = "integer" if precision == "int8" else "float32"
    if precision == "bf16":
        row.notes.append(f"{trial.backend} computes in bfloat16")
    if "speed" in planned.measure:
        try:
            _time(planned, bench, prepared, row, phases, rules=rules, clock=clock)
        except QBenchError as error:
            row.notes.append(f"{NOT_TIMED}{error}")
    return None


def _time(
    planned: Planned, bench: Bench, prepared: Prepared, row: Row, phases: Phases, *, rules: Rules, clock: Clock
) -> None:
    """Fill in the peer's times; raise QBenchError when it answers so far from fp32 that it may not be timed."""
    trial = planned.trial
    for batch in trial.batch_sizes:
        inputs = batch_of(bench.inputs, batch)
        check_peer(trial.backend, prepared.run(inputs), batch_of(bench.answers.logits, batch))
        cell = Cell(
            trial.backend, prepared.bind(inputs), batch, batch * network_operations(bench.network), bench.threads
        )
        with phases("time"), quiet_cores(bench.threads) as quiet:
            row.measurements += interleave(f"network/batch{batch}", [cell], rules, clock=clock, quiet=quiet)


def _prepare(trial: Trial, bench: Bench, phases: Phases) -> Prepared:
    chosen = peer(trial.backend)
    if chosen.precision != "int8":
        return chosen.prepare(QuantizedNetwork(bench.network), threads=bench.threads)
    return chosen.prepare(bench.quantized(trial, phases), threads=bench.threads)
