"""A plan of specs for single layers, scored as a whole: what `qbench overrides` prints was run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from qbench.core.rules import Rule, rules_text
from qbench.core.trial import Trial, TrialResult
from qbench.errors import QBenchError, ResultsError
from qbench.results.index import frame
from qbench.results.reader import NetworkRun
from qbench.results.sensitivity import LayerChoice, chosen, ladders, loss_name, moves, rules_of, single_rows
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.kind import bench_of
from qbench.runner.networks.trial import run_trial
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.rules import timing_rules
from qbench.suite import Planned, Suite, load_suite

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan is to keep.

    Args:
        points: what all layers together may lose.
        activations: right half of the specs of layers of which only the weights were tried.
        fallback: spec of all other layers.
        sweep: the sweep of single layers, "" for the only one.
        suite: the suite of the run where it has moved, None for what the run says.
    """

    points: float
    activations: str = "a8t"
    fallback: str = "w8c-a8t"
    sweep: str = ""
    suite: Path | None = None


@dataclass(frozen=True, slots=True)
class JointPlan:
    """Specs of single layers and what they lose together.

    Args:
        choices: what each layer becomes.
        rules: the same as rules.
        row: the row of all of them together.
        lost: points lost against fp32 of the run, paired; `low` and `high` are its 95 % interval.
    """

    choices: tuple[LayerChoice, ...]
    rules: tuple[Rule, ...]
    row: TrialResult
    lost: float
    low: float
    high: float


Candidate = tuple[tuple[LayerChoice, ...], tuple[Rule, ...]]


def candidates(run: NetworkRun, asked: Asked) -> tuple[Candidate, ...]:
    """Return candidates, each one move bolder than the one before; the first leaves all layers at the fallback."""
    found = ladders(run, sweep=asked.sweep)
    order = moves(found, points=asked.points, fallback=asked.fallback)
    made = [chosen(found, order[:count]) for count in range(len(order) + 1)]
    return tuple((one, rules_of(one, activations=asked.activations, fallback=asked.fallback)) for one in made)


def joint_plan(run: NetworkRun, asked: Asked, *, tell: Tell = lambda _: None) -> JointPlan:
    """Return a bold candidate that loses at most `asked.points`, as scored with all its layers at once.

    The boldest one is scored first, then the rest by halves: losses mostly grow with the moves.

    Args:
        run: a run with a sweep of single layers; its network and data are read again.
        asked: what is to be kept.
        tell: is told of every candidate that is scored.

    Raises:
        ResultsError: the run holds no such sweep, is of another network or data, or no candidate loses so little.
    """
    made = candidates(run, asked)
    score = _scorer(run, asked)
    best, low, high = None, -1, len(made)
    probe = high - 1
    while low < probe < high:
        plan = score(made[probe])
        tell(f"{probe} moves to fewer bits, scored together: {plan.lost:.2f} points lost, of at most {asked.points:g}")
        if plan.lost <= asked.points:
            best, low = plan, probe
        else:
            high = probe
        probe = (low + high) // 2 if high > 1 else 0
    if best is None:
        raise ResultsError(
            f"{run.folder}: no plan loses at most {asked.points:g} points: with every layer at {asked.fallback} they "
            f"lose {plan.lost:.2f} together"
        )
    return best


def _scorer(run: NetworkRun, asked: Asked) -> Callable[[Candidate], JointPlan]:
    """Return what scores a candidate on the network and the data of a run; raise ResultsError for other ones."""
    first = single_rows(run, sweep=asked.sweep)[0]
    suite = suite_of(run, asked.suite)
    bench = bench_of(suite)
    for what, found, expected in (
        ("network", bench.network.sha256, run.header.model.sha256),
        ("data", bench.data.sha256, run.header.data.sha256),
    ):
        if found != expected:
            raise ResultsError(f"{run.folder}: expected the {what} of this run to score a plan on, got another one")
    trial = replace(first.trial, sweep="joint", layers="all", spec=asked.fallback, batch_sizes=())

    def score(made: Candidate) -> JointPlan:
        return _scored(run, suite, bench, replace(trial, overrides=rules_text(made[1])), made)

    return score


def suite_of(run: NetworkRun, path: Path | None = None) -> Suite:
    """Return the suite of a run, from its file or from what the run holds; paths in it are then from here."""
    if path is not None:
        found = load_suite(path)
    else:
        with tempfile.TemporaryDirectory() as folder:
            text = Path(folder) / "suite.yaml"
            text.write_text(run.header.suite.text, encoding="utf-8")
            found = load_suite(text)
        found._folder = Path()
    if not isinstance(found, Suite):
        raise ResultsError(f"{run.folder}: expected a run of a network")
    return found


def _scored(run: NetworkRun, suite: Suite, bench: Bench, trial: Trial, made: Candidate) -> JointPlan:
    """Run a trial and compare it with the run's fp32 row, sample by sample."""
    row = run_trial(
        Planned(trial, ("accuracy",)), bench, cache_hash="", rules=timing_rules(suite, quick=True), clock=Clock()
    )
    if row.status != "ok":
        raise QBenchError(row.reason)
    base = run.baseline
    if base is None:
        raise ResultsError(f"{run.folder}: expected an fp32 row, got none")
    loss = loss_name(run)
    line = frame(replace(run, results=(base, row))).iloc[-1]
    value = float(line[loss])
    low, high = (float(line.get(f"{loss}_{end}", value)) for end in ("low", "high"))
    return JointPlan(*made, row, value, low, high)
