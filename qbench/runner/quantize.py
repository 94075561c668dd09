"""One network, once: quantize, check, save, read again, score, time, and say where its time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import qbench
from qbench.core.tensor import Floats
from qbench.core.trial import Metric
from qbench.engine import Session, build_session
from qbench.engine.saved.network import SavedNetwork, load_network, save_network
from qbench.errors import QBenchError, ResultsError
from qbench.graph import Network, QuantizedNetwork
from qbench.kernels.variants import choose
from qbench.metrics import accuracy
from qbench.results import DataFacts, ModelFacts
from qbench.results.quantized import QuantizedResult, write_quantized
from qbench.runner.alarms import range_alarms
from qbench.runner.baseline import check_runtimes
from qbench.runner.bench import Bench
from qbench.runner.machine import environment, lock
from qbench.runner.own_network import Asked, prepare
from qbench.runner.quantize_times import WAITING, Tell, Timing, take_times
from qbench.runner.row import Row
from qbench.runner.score import all_logits
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import network_operations
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.rules import rules_of
from qbench.runner.timing.steps import float_reasons
from qbench.runner.trial import describe, verified
from qbench.suite import Planned
from qbench.suite import schema as suite_schema


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """A network that was quantized and saved: `saved` is what was read again, `result` what was found out."""

    saved: SavedNetwork
    result: QuantizedResult
    folder: Path


def quantize(
    model: str | Path,
    *,
    data: str | Path,
    out: str | Path,
    spec: str = "w8c-a8t",
    recipe: str = "mse",
    layers: str | Mapping[str, str] = "",
    calibration: int | None = None,
    seed: int = 0,
    threads: int = 2,
) -> Quantization:
    """Quantize a network, save it into `out`, score it, and time it beside fp32.

    Args:
        model: path of an ONNX file, or name of a packaged network.
        data: a known name, an `.npz` file, or a folder of images (one folder per class: labelled).
        out: folder of the saved network and of `quantized.json`; made when it is missing.
        spec: token of all layers that no rule names.
        recipe: the stages that make it, e.g. `mse`, `mse/both`, `cle/mse+gptq/bias` (`qbench list stages`).
        layers: rules for single layers: pattern -> token, or the text of them.
        calibration: number of calibration images; None for 512, or as many as there are.
        seed: draw of images.
        threads: threads to run on.

    Raises:
        QBenchError: whatever is wrong with the network, the data, the spec or the rules.
    """
    rules = layers if isinstance(layers, str) else ",".join(f"{name}={token}" for name, token in layers.items())
    asked = Asked(
        model=str(model), data=str(data), spec=spec, recipe=recipe, overrides=rules, calibration=calibration,
        seed=seed, threads=threads,
    )  # fmt: skip
    return quantize_asked(asked, Path(out))


def quantize_asked(
    asked: Asked, out: Path, *, timed: bool = True, quick: bool = False, tell: Tell = lambda _: None
) -> Quantization:
    """Do what `asked` says; see `quantize`.

    Args:
        asked: checked wishes.
        out: folder.
        timed: whether times are taken.
        quick: whether they are taken roughly.
        tell: is told of every phase.
    """
    if out.exists() and not out.is_dir():
        raise ResultsError(f"{out}: expected a folder to write into, got a file")
    tell("reading the network and the data")
    planned, bench = prepare(asked)
    clock = Clock()
    phases, row, timing = Phases(clock), Row(), None
    with ExitStack() as stack:
        with lock.working(on_wait=lambda: tell(WAITING)):
            tell("checking the fp32 baseline")
            check_runtimes(bench.answers, bench.own_logits)
            tell(f"quantizing {len(bench.network.layers)} layers")
            made = bench.quantized(planned.trial, phases)
            with phases("pack"):
                session = build_session(made, variant=asked.variant, threads=asked.threads)
            stack.callback(session.close)
            verified(session, made, bench, phases)
            tell(f"scoring {len(bench.inputs)} images")
            logits = _scored(planned, bench, made, session, row, phases)
            saved = _saved(out, planned, bench, made, session)
        if timed:
            rules = rules_of(suite_schema.Timing(), quick=quick)
            timing = take_times(
                planned, bench, session, row, saved, logits=logits, rules=rules, clock=clock, quick=quick, tell=tell
            )
        result = _result(planned, bench, made, session, row, phases, saved=saved, timing=timing)
    write_quantized(result, out)
    return Quantization(saved, result, out)


def _scored(
    planned: Planned, bench: Bench, made: QuantizedNetwork, session: Session, row: Row, phases: Phases
) -> Floats:
    """Fill in every score, size and alarm, and return the logits of all images."""
    with phases("score"):
        logits = all_logits(session, bench.inputs)
        row.score(logits, bench.answers)
        describe(row, session, made)
    row.alarms += _alarms(planned, bench, session, made)
    return logits


def _alarms(planned: Planned, bench: Bench, session: Session, made: QuantizedNetwork) -> list[str]:
    """Return what looks wrong about the ranges, and about labels that fp32 itself cannot tell."""
    trial, classes = planned.trial, len(bench.data.classes) if bench.answers.labelled else 0
    kept = {name: params for name, params in made.activations.items() if name in session.plan.layouts}
    found = range_alarms(kept, bench.observations(trial.calibration, trial.seed).stats()) if kept else []
    if classes > 1 and bench.task.outputs == "classes":
        right = accuracy.correct(bench.answers.logits, bench.answers.labels)
        low, _ = accuracy.wilson(int(right.sum()), len(right))
        if low <= 1.0 / classes:
            found.append(
                f"fp32 is right on {100 * right.mean():.1f} % of the images, as by chance: expected classes in the "
                "order of the network's outputs, and the mean and std that it was trained with"
            )
    return found


def _saved(out: Path, planned: Planned, bench: Bench, made: QuantizedNetwork, session: Session) -> SavedNetwork:
    """Save the network, read it again, and let it answer: not one bit may differ."""
    trial = planned.trial
    facts: dict[str, str | int | float | bool] = {
        "model": trial.model, "model_sha256": bench.network.sha256, "data": bench.data.name,
        "data_sha256": bench.data.sha256, "spec": trial.spec, "overrides": trial.overrides, "method": trial.method,
        "correction": trial.correction, "calibration": trial.calibration, "seed": trial.seed,
        "labelled": bench.answers.labelled,
    }  # fmt: skip
    if trial.transform or trial.rounding:
        facts["recipe"] = trial.recipe
    save_network(out, made, facts=facts)
    saved = load_network(out)
    again = saved.session(threads=session.threads, variant=trial.variant)
    try:
        images = bench.inputs[: 2 * session.plan.images]
        if again.run(images).tobytes() != session.run(images).tobytes():
            raise QBenchError(f"{out}: the reloaded network gives different outputs from the saved one")
    finally:
        again.close()
    return saved


def _result(
    planned: Planned,
    bench: Bench,
    made: QuantizedNetwork,
    session: Session,
    row: Row,
    phases: Phases,
    *,
    saved: SavedNetwork,
    timing: Timing | None,
) -> QuantizedResult:
    fp32: dict[str, Metric] = {}
    if bench.answers.labelled:
        fp32[bench.task.primary.name] = bench.task.summary(bench.answers.scores.each)
    for step in timing.steps if timing else ():
        for layer in row.layer_rows:
            if layer["name"] == step.name:
                layer |= {"median_s": step.median_s, "images": step.images}
    return QuantizedResult(
        row=row.finish(planned.trial, "", phases.seconds),
        model=_model_facts(bench.network),
        data=_data_facts(bench),
        fp32=fp32,
        disk_bytes=saved.disk_bytes,
        steps=timing.steps if timing else (),
        pass_s=timing.pass_s if timing else 0.0,
        float_reasons=float_reasons(session, weights=set(made.weights), activations=set(made.activations)),
        variant=choose(planned.trial.variant),
        best_variant=choose(),
        threads=bench.threads,
        task=bench.task.name,
        ceilings=timing.ceilings if timing else {},
        versions=environment.versions(),
        qbench_version=qbench.__version__,
        command_line=environment.command_line(),
        created_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        unstable=timing.unstable if timing else False,
    )


def _model_facts(network: Network) -> ModelFacts:
    return ModelFacts(
        name=network.name,
        sha256=network.sha256,
        layers=tuple(layer.name for layer in network.layers),
        weights=sum(math.prod(layer.weight.shape) for layer in network.layers),
        operations=network_operations(network),
        declared=network.metadata,
    )


def _data_facts(bench: Bench) -> DataFacts:
    data = bench.data
    return DataFacts(
        name=data.name,
        sha256=data.sha256,
        images=len(bench.inputs),
        classes=data.classes,
        calibration_images=len(data.calibration),
    )
