"""One trial, from its spec to its row: calibrate, quantize, pack, compile, verify, score, time; each phase timed apart.

A trial never stops a run: whatever goes wrong in it becomes a failed row that says why.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Protocol

from qbench.core.accumulator import parse_accumulators
from qbench.core.recipe import KEEP
from qbench.core.tensor import Floats
from qbench.core.trial import ON_INTEGERS, Execution, Trial, TrialResult
from qbench.engine import Session, build_session
from qbench.engine.lowering.accumulators import bound_of
from qbench.errors import QBenchError, UnsuitableError
from qbench.graph import Network, QuantizedNetwork
from qbench.metrics import measured
from qbench.metrics.tensor import sqnr_db
from qbench.quantization import parse_recipe
from qbench.runner.load.elsewhere import measure_speed
from qbench.runner.load.measure import Load, Own
from qbench.runner.networks.alarms import range_alarms
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.peer_trial import run_peer
from qbench.runner.networks.row import LayerRow, Row
from qbench.runner.networks.score import WeightScores, all_logits, answers
from qbench.runner.networks.verify import verify
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.layers import measure_layers
from qbench.runner.timing.network import Scored, checked_call, ready_peers
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Rules
from qbench.runner.timing.slower import why_slower
from qbench.runner.timing.split import split_of
from qbench.suite import Planned

SEEDED = "weights are seeded: speed and agreement with fp32 only, no accuracy"

FILES_RUNTIME = "onnxruntime-int8"
"""Who runs a quantized ONNX file as it is, in turns with what qbench makes of it."""
COMPARED = 64
"""Samples on which it is asked how near the two are."""

Keep = Callable[[Trial, QuantizedNetwork, Session, list[LayerRow]], None]
"""What is done with a quantized network and its session once the row holds all but its end."""
Fill = Callable[[Row, Phases], str | None]
"""Fills a row, or returns why it is skipped."""


class Described(Protocol):
    """What a session says of itself without running."""

    @property
    def execution(self) -> Execution:
        """What arithmetic it runs."""
        ...

    @property
    def execution_reason(self) -> str:
        """Why it is not all integer."""
        ...

    @property
    def kernels(self) -> Mapping[str, str]:
        """Layer -> kernel."""
        ...

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights as they lie in memory."""
        ...

    @property
    def integer_share(self) -> float:
        """Share of the operations that are integer."""
        ...


def run_trial(
    planned: Planned, bench: Bench, *, cache_hash: str, rules: Rules, clock: Clock, keep: Keep | None = None
) -> TrialResult:
    """Return the row of one planned trial, whatever happens in it.

    Args:
        planned: the trial and what is measured of it.
        bench: network, images and what earlier trials left.
        cache_hash: what the row depends on, kept in it.
        rules: of timing; used only when the trial is timed.
        clock: the clock.
        keep: is handed the quantized network, its session and the rows of its layers when all else is done.
    """

    def fill(row: Row, phases: Phases) -> str | None:
        if planned.trial.backend != "qbench":
            return run_peer(planned, bench, row, phases, rules=rules, clock=clock)
        return _run_qbench(planned, bench, row, phases, rules=rules, clock=clock, keep=keep)

    return row_of(planned, cache_hash=cache_hash, seeded=bench.seeded, clock=clock, fill=fill)


def row_of(planned: Planned, *, cache_hash: str, seeded: bool, clock: Clock, fill: Fill) -> TrialResult:
    """Return the row that `fill` fills, one that says why it was skipped, or one that says what went wrong.

    Args:
        planned: the trial and what is measured of it.
        cache_hash: what the row depends on, kept in it.
        seeded: whether the network's weights were never trained.
        clock: the clock.
        fill: fills a row, phase by phase; returns why the trial is skipped, or None.
    """
    if planned.reason:
        return TrialResult(planned.trial, cache_hash, "skipped", planned.reason)
    phases, row = Phases(clock), Row(notes=[SEEDED] if seeded else [])
    try:
        reason = fill(row, phases)
        if reason:
            return TrialResult(planned.trial, cache_hash, "skipped", reason)
    except UnsuitableError as why:
        return TrialResult(planned.trial, cache_hash, "skipped", str(why))
    except QBenchError as error:
        return TrialResult(planned.trial, cache_hash, "failed", str(error), phases_s=phases.seconds)
    except Exception as error:  # a bug in one trial must not cost the others; its place stands in the row
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})".replace("\n", " ")
        trace = tuple(line.rstrip() for line in traceback.format_exception(error))
        return TrialResult(planned.trial, cache_hash, "failed", reason, phases_s=phases.seconds, notes=trace)
    return row.finish(planned.trial, cache_hash, phases.seconds)


def _run_qbench(
    planned: Planned, bench: Bench, row: Row, phases: Phases, *, rules: Rules, clock: Clock, keep: Keep | None
) -> str | None:
    """Fill `row` with the scores and times of qbench's own session; return None: it can do every trial."""
    trial = planned.trial
    made = bench.quantized(trial, phases)
    with phases("pack"):
        narrow = parse_accumulators(trial.accumulator)[0] if trial.accumulator else None
        session = build_session(made, variant=trial.variant, threads=bench.threads, accumulator=narrow)
    if narrow and session.execution != "simulated":
        return f"no layer has a sum in whole numbers: {session.execution_reason}"
    with session:
        verified(session, made, bench, phases)
        with phases("score"):
            logits = all_logits(session, bench.inputs)
            row.score(logits, bench.answers)
            describe(row, session, made)
        row.notes += [] if narrow is None else [overflowing(row.layer_rows, narrow.bits)]
        row.notes += [*scored_output(bench.network), *made.remarks]
        if bench.kept is not None:
            row.notes += _kept_remarks(trial, bench, logits)
        if made.activations and trial.method != KEEP:  # what a file says is not looked at on calibration samples
            row.alarms += _range_alarms(trial, bench, made, session)
        row.alarms += bench.suspicions
        if trial.batch_sizes:
            _time(planned, bench, (session, Scored(made, logits)), row, phases, rules=rules, clock=clock)
            own = Own(
                trial.backend, lambda batch: checked_call(bench, session, logits, batch), made, logits[:1],
                session.activation_bytes,
            )  # fmt: skip
            Load(bench, own, references_of(trial, bench), rules, clock, trial.variant).measure(planned, row, phases)
        if keep is not None:
            keep(trial, made, session, row.layer_rows)
    return None


def _range_alarms(trial: Trial, bench: Bench, made: QuantizedNetwork, session: Session) -> list[str]:
    """Return what is wrong with the ranges of activations; what a changed network sees itself counts."""
    changed = bool(trial.transform or parse_recipe(trial.recipe).distributions)
    seen = bench.observations(trial)
    stats = (seen.of(made.network) if changed else seen).stats()
    known = session.network.shapes.keys() & stats.keys()
    return range_alarms({name: params for name, params in made.activations.items() if name in known}, stats)


def scored_output(network: Network) -> list[str]:
    """Return a remark that names the output that is scored, where it is not the first one."""
    if network.answer == network.output:
        return []
    shape = " x ".join(map(str, network.shapes[network.answer]))
    return [f"scored by '{network.answer}' ({shape}), the first output of floats of {len(network.outputs)}"]


def overflowing(layers: list[LayerRow], bits: int) -> str:
    """Return a remark on which layers are proven never to overflow an accumulator."""
    known = [layer for layer in layers if layer["sum_bits"] is not None]
    held = sum(int(layer["sum_bits"] or 0) <= bits for layer in known)
    return f"{held} of {len(known)} layers are proven never to overflow {bits} bits"


def verified(session: Session, made: QuantizedNetwork, bench: Bench, phases: Phases) -> None:
    """Compile a session, and hold an integer one against the portable loops; raise QBenchError when they differ."""
    with phases("compile"):
        session.compile()
    if session.execution in ON_INTEGERS:
        with phases("verify"):
            verify(session, made, inputs=bench.inputs)


def _time(
    planned: Planned, bench: Bench, scored: tuple[Session, Scored], row: Row, phases: Phases, *, rules: Rules,
    clock: Clock,
) -> None:  # fmt: skip
    """Fill in the times of the network and of its layers, as the trial's sweep wants them.

    `scored` holds the session, what it runs, and its logits.
    """
    session, own = scored
    if "speed" in planned.measure:
        with phases("load"):
            batches = planned.trial.batch_sizes
            peers, notes = ready_peers(bench, references_of(planned.trial, bench), batches=batches, row=own)
            row.notes += notes
        for batch in planned.trial.batch_sizes:
            with phases("time"):
                row.measurements += measure_speed(
                    bench, session, own, batch=batch, peers=peers[batch], rules=rules, clock=clock
                )
        row.notes += why_slower(session, bench.inputs, row.measurements, clock=clock)
        if session.execution != "float32":
            row.split_s = split_of(session, bench.network, bench.inputs, clock=clock)
    if "layers" in planned.measure:
        with phases("time"):
            batch = max(planned.trial.batch_sizes)
            times, notes = measure_layers(bench, session, batch=batch, rules=rules, clock=clock)
            row.measurements += times
            row.notes += notes
            steps = {str(step["name"]): step for step in session.profile(bench.inputs, timer=clock.now_s)}
        for layer in row.layer_rows:
            step = steps[str(layer["name"])]
            layer |= {"median_s": float(step["median_s"]), "images": int(step["images"])}


def references_of(trial: Trial, bench: Bench) -> tuple[str, ...]:
    """Return the libraries that take turns with a trial; the one that a quantized file was made for is always there."""
    names = bench.references.names
    return (*names, FILES_RUNTIME) if trial.method == KEEP and FILES_RUNTIME not in names else names


def _kept_remarks(trial: Trial, bench: Bench, logits: Floats) -> list[str]:
    """Return what is said of a row whose network's file is quantized; of one that keeps it, how near its runtime is."""
    if trial.method != KEEP:
        return ["the file is quantized already: float32 is the network that its codes stand for"]
    remarks = ["codes, scales and zero points are those of the file; int8 libraries run the file itself"]
    try:
        expected = answers(bench.reference(FILES_RUNTIME), bench.inputs[:COMPARED])
    except QBenchError as error:
        return [*remarks, f"not compared with {FILES_RUNTIME}: {error}"]
    apart_db = sqnr_db(expected, logits[: len(expected)])
    return [*remarks, f"{FILES_RUNTIME} on the file itself: {apart_db:.1f} dB apart on {len(expected)} samples"]


def describe(row: Row, session: Described, made: QuantizedNetwork) -> None:
    """Fill in what the session and the codes say without running: execution, kernels, errors of weights, sizes."""
    row.execution = session.execution
    if session.execution != "float32" and session.execution_reason:
        row.notes.append(f"{session.execution}: {session.execution_reason}")
    row.kernels = dict(session.kernels)
    error = WeightScores(made.network, made.weights)
    built = error.built(resident_bytes=session.resident_bytes, integer_share=session.integer_share)
    row.metrics |= measured("network", built)
    row.layer_rows = _layer_rows(made, error, session.kernels)


def _layer_rows(made: QuantizedNetwork, error: WeightScores, kernels: Mapping[str, str]) -> list[LayerRow]:
    """Return the facts of every layer that are known without a clock.

    `assigned` is what the layer was to become; `spec` and `activations` are what its weights and its input became.
    """
    rows: list[LayerRow] = []
    for layer in made.network.layers:
        assigned = made.specs.get(layer.name)
        entering = made.activations.get(made.network.unflattened(layer.input))
        bound = bound_of(layer, made.weights.get(layer.name), entering)
        rows.append(
            {
                "name": layer.name,
                "channels": int(layer.weight.shape[0]),
                "depth": int(layer.weight[0].size),
                "operations": made.network.operations(layer.name),
                "assigned": assigned.token if assigned else "w32-a32",
                "spec": error.weights[layer.name].spec.token if layer.name in error.weights else "32",
                "activations": made.input_token(layer.name),
                "sqnr_db": error.layer_sqnr_db(layer.name),
                "kernel": kernels.get(layer.name, ""),
                "largest_sum": None if bound is None else bound.largest,
                "sum_bits": None if bound is None else bound.bits,
            }
        )
    return rows
