"""`qbench quantize`: a suite of one network and one trial, whose quantized network is kept beside the row.

The run is one like any other, in a folder that the user names: an fp32 row and the trial's, read, compared and reported
as other runs are. What is kept beside them are the network, read again before it is believed, and the times of its
steps on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from qbench.core.trial import Trial, TrialResult
from qbench.engine import Session
from qbench.engine.saved.network import SavedNetwork, load_network, save_network
from qbench.errors import QBenchError, ResultsError
from qbench.graph import QuantizedNetwork
from qbench.kernels.variants import choose
from qbench.results import RunWriter
from qbench.results.header import read_header
from qbench.results.kept.quantized import (
    FILE_NAME,
    Product,
    QuantizedResult,
    StepTime,
    read_quantized,
    write_product,
)
from qbench.results.reader import ROWS_NAME
from qbench.runner.executor import Local
from qbench.runner.experiment import header_of, run_plan
from qbench.runner.job import Job
from qbench.runner.machine.devices import DEVICES
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import network_jobs
from qbench.runner.networks.maker import NetworkMaker
from qbench.runner.networks.row import LayerRow
from qbench.runner.networks.score import answers
from qbench.runner.networks.trial import run_trial
from qbench.runner.observer import Silent
from qbench.runner.own.inside import look_inside
from qbench.runner.own.request import SUITE_NAME, SWEEP, Asked, prepare
from qbench.runner.own.serving import NAME as SERVING_NAME
from qbench.runner.own.serving import ServedNetwork, load, write_serving
from qbench.runner.plan import Plan
from qbench.runner.timing.steps import float_reasons, step_times
from qbench.suite import Planned, Suite

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """What came of quantizing a network.

    `saved` is what was read again, `result` the row and what stands beside it, `remarks` what is suspicious about the
    input, a line each.
    """

    saved: ServedNetwork
    result: QuantizedResult
    folder: Path
    remarks: tuple[str, ...] = ()


class More(TypedDict, total=False):
    """What can be said beside network, data and recipe."""

    calibration: int
    """Number of calibration images; 512, or as many as there are, where it is left out."""
    source: str
    """Where calibration images come from: `data`, `noise`, `batch-norm` or `none`."""
    seed: int
    """Draw of images; 0."""
    threads: int
    """Threads to run on; 2."""
    limit: int
    """Evaluate on at most so many images."""
    mean: float | tuple[float, ...]
    """Per channel, to normalize your own images with, on a scale of 0 to 1."""
    std: float | tuple[float, ...]
    """Per channel."""
    resize: int | tuple[int, ...]
    """Pixels of the shorter side, or height and width, that images are scaled to before they are cut."""
    crop: int | tuple[int, ...]
    """Side, or height and width, of the middle that is cut out of images; the network's size where it is left out."""
    batch_sizes: tuple[int, ...]
    """Images per timed call; 1 and 32."""
    references: tuple[str, ...]
    """Other libraries that are timed in turns; onnxruntime in fp32."""
    shapes: Mapping[str, tuple[int, ...] | float]
    """Input -> sizes without the batch, for inputs that the file leaves free."""
    times: bool
    """Whether times are taken; yes."""
    quick: bool
    """Whether they are taken roughly; no."""


def quantize(
    model: str | Path,
    *,
    data: str | Path,
    out: str | Path,
    spec: str = "w8c-a8t",
    recipe: str = "mse",
    layers: str | Mapping[str, str] = "",
    **more: Unpack[More],
) -> Quantization:
    """Quantize a network, save it into `out`, score it, and time it beside fp32.

    Args:
        model: path of a file of a known format (`qbench.graph.readers`), or name of a packaged network.
        data: a known name, an `.npz` file, or a folder of images (one folder per class: labelled) or of arrays.
        out: folder of the saved network and of its run; made when it is missing.
        spec: token of all layers that no rule names.
        recipe: the stages that make it, e.g. `mse`, `mse/both`, `cle/mse+gptq/bias` (`qbench list stages`).
        layers: rules for single layers: pattern -> token, or the text of them.
        more: of `More`.

    Raises:
        QBenchError: whatever is wrong with the network, the data, the spec or the rules.
    """
    rules = layers if isinstance(layers, str) else ",".join(f"{name}={token}" for name, token in layers.items())
    wishes: dict[str, Any] = dict(more)
    timed, quick = wishes.pop("times", True), wishes.pop("quick", False)
    asked = Asked(
        model=str(model), data=str(data), spec=spec, recipe=recipe, overrides=rules, **wishes,
    )  # fmt: skip
    return quantize_asked(asked, Path(out), timed=timed, quick=quick)


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
    if (out / ROWS_NAME).exists() and not _is_ours(out):
        raise ResultsError(f"{out}: expected a folder for one quantized network, found the run of a suite in it")
    suite, bench = prepare(asked, timed=timed)
    jobs = network_jobs(suite, bench, DEVICES["cpu"].identity(), quick)
    plan = Plan(suite, bench, quick, jobs, {}, None, bench.remarks)
    maker, observer = KeepingMaker(plan, out), _Telling(tell)
    for name in (FILE_NAME, ROWS_NAME, SERVING_NAME):
        (out / name).unlink(missing_ok=True)
    with RunWriter.create(out, header_of(plan, datetime.now(UTC))) as writer, Local(plan, maker) as executor:
        observer.on_start(plan)
        run_plan(plan, writer, executor, observer)
    failed = [row for row in writer.results.values() if row.status != "ok"]
    if failed:
        raise QBenchError(failed[-1].reason)
    return Quantization(load(out), read_quantized(out), out, (*bench.remarks, *bench.suspicions))


def _is_ours(folder: Path) -> bool:
    """Whether the run in a folder is of one quantized network, finished or not."""
    try:
        return read_header(folder).suite.name == SUITE_NAME
    except ResultsError:
        return False


class _Telling(Silent):
    """Passes on phases, and which row begins."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def on_start(self, plan: Plan) -> None:
        """Pass on what is suspicious about the input."""
        for remark in plan.remarks:
            self._tell(remark)

    def on_phase(self, text: str) -> None:
        """Pass it on."""
        self._tell(text)

    def on_trial_start(self, trial: object) -> None:
        """Say what is made now."""
        assert isinstance(trial, Trial)
        sums = f", sums of {trial.accumulator}" if trial.accumulator else ""
        self._tell("the fp32 network" if trial.sweep == "baseline" else f"{trial.spec} by {trial.recipe}{sums}")


class KeepingMaker(NetworkMaker):
    """Makes rows of networks, and keeps the network of the one that is no baseline.

    Args:
        plan: of one trial beside the fp32 row.
        out: folder that the network is saved into.
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        super().__init__(plan)
        assert isinstance(plan.suite, Suite)
        self._out, self._how = out, plan.suite.how

    def make(self, job: Job, ceilings: Mapping[str, float]) -> TrialResult:
        """Return the row of a trial; the quantized network is on disk by then."""
        assert isinstance(job.trial, Trial)
        planned = Planned(job.trial, job.measure, job.reason)
        keep = self._keep if job.trial.sweep == SWEEP else None
        return run_trial(
            planned, self._bench, cache_hash=job.cache_hash, rules=self._rules, clock=self._clock, keep=keep
        )

    def _keep(self, trial: Trial, made: QuantizedNetwork, session: Session, layers: list[LayerRow]) -> None:
        """Save the network, read it again, and time its steps where times are taken."""
        saved = _saved(self._out, trial, self._bench, made, session)
        write_serving(self._out, self._bench.data, self._how)
        steps: tuple[StepTime, ...] = ()
        pass_s = 0.0
        if trial.batch_sizes:
            with saved.session(threads=1, variant=trial.variant) as alone:
                steps, pass_s = step_times(alone, self._bench.inputs, clock=self._clock)
        rows = {str(layer["name"]): layer for layer in layers}
        for step in steps:
            if step.name in rows:
                rows[step.name] |= {"median_s": step.median_s, "images": step.images}
        product = Product(
            key=trial.key,
            disk_bytes=saved.disk_bytes,
            steps=steps,
            pass_s=pass_s,
            float_reasons=float_reasons(session, weights=set(made.weights), activations=set(made.activations)),
            variant=choose(trial.variant),
            best_variant=choose(),
            inside=look_inside(
                made, self._bench.network, self._bench.inputs, threads=session.threads, clock=self._clock
            ),
        )
        write_product(product, self._out)


def _saved(out: Path, trial: Trial, bench: Bench, made: QuantizedNetwork, session: Session) -> SavedNetwork:
    """Save the network, read it again, and let it answer: not one bit may differ."""
    facts: dict[str, str | int | float | bool] = {
        "model": trial.model, "model_sha256": bench.network.sha256, "data": bench.data.name,
        "data_sha256": bench.data.sha256, "spec": trial.spec, "overrides": trial.overrides, "method": trial.method,
        "correction": trial.correction, "calibration": trial.calibration, "seed": trial.seed,
        "labelled": bench.answers.labelled,
    }  # fmt: skip
    if trial.source:
        facts["source"] = trial.source
    if trial.transform or trial.rounding:
        facts["recipe"] = trial.recipe
    save_network(out, made, facts=facts)
    saved = load_network(out)
    images = bench.inputs[: 2 * session.plan.images]
    with saved.session(threads=session.threads, variant=trial.variant) as again:
        if answers(again, images).tobytes() != answers(session, images).tobytes():
            raise QBenchError(f"{out}: the reloaded network gives different outputs from the saved one")
    return saved
