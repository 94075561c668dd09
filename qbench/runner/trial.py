"""One trial, from its spec to its row: calibrate, quantize, pack, compile, verify, score, time; each phase timed apart.

A trial never stops a run: whatever goes wrong in it becomes a failed row that says why.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from qbench.core.tensor import Floats, QParams, QTensor
from qbench.core.trial import Trial, TrialResult
from qbench.engine import Session, build_session
from qbench.errors import QBenchError
from qbench.methods import method_spec
from qbench.metrics import size
from qbench.runner.alarms import range_alarms
from qbench.runner.clock import Clock
from qbench.runner.layer_speed import measure_layers
from qbench.runner.peer_trial import run_peer
from qbench.runner.phases import Phases
from qbench.runner.row import LayerRow, Row
from qbench.runner.sampling import Rules
from qbench.runner.score import WeightScores, all_logits
from qbench.runner.speed import measure_network, ready_peers
from qbench.runner.verify import verify
from qbench.runner.workbench import Workbench, activation_specs, layer_specs, method
from qbench.suite import Planned


def run_trial(planned: Planned, bench: Workbench, *, cache_hash: str, rules: Rules, clock: Clock) -> TrialResult:
    """Return the row of one planned trial, whatever happens in it.

    Args:
        planned: the trial and what is measured of it.
        bench: network, images and what earlier trials left.
        cache_hash: what the row depends on, kept in it.
        rules: of timing; used only when the trial is timed.
        clock: the clock.
    """
    if planned.reason:
        return TrialResult(planned.trial, cache_hash, "skipped", planned.reason)
    phases, row = Phases(clock), Row()
    try:
        if planned.trial.backend == "qbench":
            _run_qbench(planned, bench, row, phases, rules=rules, clock=clock)
        else:
            reason = run_peer(planned, bench, row, phases, rules=rules, clock=clock)
            if reason:
                return TrialResult(planned.trial, cache_hash, "skipped", reason)
    except QBenchError as error:
        return TrialResult(planned.trial, cache_hash, "failed", str(error), phases_s=phases.seconds)
    except Exception as error:  # a bug in one trial must not cost the others; its place stands in the row
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})".replace("\n", " ")
        trace = tuple(line.rstrip() for line in traceback.format_exception(error))
        return TrialResult(planned.trial, cache_hash, "failed", reason, phases_s=phases.seconds, notes=trace)
    return row.finish(planned.trial, cache_hash, phases.seconds)


def quantize_trial(trial: Trial, bench: Workbench, phases: Phases) -> tuple[dict[str, QTensor], dict[str, QParams]]:
    """Return the codes of each layer and the parameters of each activation that the trial quantizes."""
    if trial.method == "none":
        return {}, {}
    specs = layer_specs(bench.network, trial.layers, spec=trial.spec, edges=trial.edges, name=trial.method)
    activations: dict[str, QParams] = {}
    if any(not spec.activations.is_float for spec in specs.values()):
        with phases("calibrate"):
            stats = bench.stats(trial.calibration, trial.seed)
        default = method_spec(method(trial.method), trial.layer_spec).activations
        tensors = activation_specs(bench.network, specs, stats, default=default)
        with phases("quantize"):
            activations = bench.activations(tensors, trial.method, samples=trial.calibration, seed=trial.seed)
    with phases("quantize"):
        weights = bench.weights(specs, trial.method, seed=trial.seed)
    return weights, activations


def _run_qbench(planned: Planned, bench: Workbench, row: Row, phases: Phases, *, rules: Rules, clock: Clock) -> None:
    trial = planned.trial
    weights, activations = quantize_trial(trial, bench, phases)
    with phases("pack"):
        session = build_session(bench.network, weights, activations, variant=trial.variant, threads=bench.threads)
    try:
        with phases("compile"):
            session.compile()
        if session.execution == "integer":
            with phases("verify"):
                verify(session, bench.network, weights, activations, inputs=bench.inputs)
        with phases("score"):
            logits = all_logits(session, bench.inputs)
            row.score(logits, bench.answers)
            _describe(row, bench, session, weights)
        if activations:
            kept = {name: params for name, params in activations.items() if name in session.plan.layouts}
            row.alarms += range_alarms(kept, bench.stats(trial.calibration, trial.seed))
        if trial.batch_sizes:
            _time(planned, bench, session, row, phases, logits=logits, rules=rules, clock=clock)
    finally:
        session.close()


def _time(
    planned: Planned,
    bench: Workbench,
    session: Session,
    row: Row,
    phases: Phases,
    *,
    logits: Floats,
    rules: Rules,
    clock: Clock,
) -> None:
    """Fill in the times of the network and of its layers, as the trial's sweep wants them."""
    if "speed" in planned.measure:
        with phases("load"):
            peers, notes = ready_peers(bench, bench.suite.timing.references)
            row.notes += notes
        for batch in planned.trial.batch_sizes:
            with phases("time"):
                row.measurements += measure_network(
                    bench, session, logits, batch=batch, peers=peers, rules=rules, clock=clock
                )
    if "layers" in planned.measure:
        with phases("time"):
            batch = max(planned.trial.batch_sizes)
            row.measurements += measure_layers(bench, session, batch=batch, rules=rules, clock=clock)
            times = {str(step["name"]): step for step in session.profile(bench.inputs, timer=clock.now_s)}
        for layer in row.layer_rows:
            step = times[str(layer["name"])]
            layer |= {"median_s": float(step["median_s"]), "images": int(step["images"])}


def _describe(row: Row, bench: Workbench, session: Session, weights: Mapping[str, QTensor]) -> None:
    """Fill in what the session and the codes say without running: execution, kernels, errors of weights, sizes."""
    row.execution = session.execution
    if session.execution in ("dequantized", "simulated"):
        row.notes.append(f"{session.execution}: {session.execution_reason}")
    row.kernels = dict(session.kernels)
    error = WeightScores(bench.network, weights)
    row.metrics |= error.error_metrics() | error.size_metrics(resident_bytes=session.resident_bytes)
    row.metrics["integer_share"] = size.INTEGER_SHARE.of(session.integer_share)
    row.layer_rows = _layer_rows(bench, error, session.kernels)


def _layer_rows(bench: Workbench, error: WeightScores, kernels: Mapping[str, str]) -> list[LayerRow]:
    """Return the facts of every layer that are known without a clock."""
    rows: list[LayerRow] = []
    for layer in bench.network.layers:
        rows.append(
            {
                "name": layer.name,
                "channels": int(layer.weight.shape[0]),
                "depth": int(layer.weight[0].size),
                "operations": bench.network.operations(layer.name),
                "spec": error.weights[layer.name].spec.token if layer.name in error.weights else "32",
                "sqnr_db": error.layer_sqnr_db(layer.name),
                "kernel": kernels.get(layer.name, ""),
            }
        )
    return rows
