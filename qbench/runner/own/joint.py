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
from qbench.results.sensitivity import (
    ANY,
    MEASURES,
    LayerChoice,
    Which,
    chosen,
    ladders,
    measured_column,
    moves,
    rules_of,
    single_rows,
)
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
        most: what all layers together may cost, in the measure's own unit.
        activations: right half of the specs of layers of which only the weights were tried.
        fallback: spec of all other layers.
        rows: the rows of single layers that are read.
        measure: a word of `qbench.results.sensitivity.MEASURES`.
        suite: the suite of the run where it has moved, None for what the run says.
    """

    most: float
    activations: str = "a8t"
    fallback: str = "w8c-a8t"
    rows: Which = ANY
    measure: str = "score"
    suite: Path | None = None


@dataclass(frozen=True, slots=True)
class JointPlan:
    """Specs of single layers and what they lose together.

    Args:
        choices: what each layer becomes.
        rules: the same as rules.
        row: the row of all of them together.
        lost: the cost, against fp32 of the run; `low` and `high` are its paired 95 % interval where it has one.
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
    found = ladders(run, asked.rows, measure=asked.measure)
    order = moves(found, most=asked.most, fallback=asked.fallback)
    made = [chosen(found, order[:count]) for count in range(len(order) + 1)]
    return tuple((one, rules_of(one, activations=asked.activations, fallback=asked.fallback)) for one in made)


def joint_plan(run: NetworkRun, asked: Asked, *, tell: Tell = lambda _: None) -> JointPlan:
    """Return a bold candidate that costs at most `asked.most`, as scored with all its layers at once.

    The boldest one is scored first, then the rest by halves: losses mostly grow with the moves.

    Args:
        run: a run with a sweep of single layers; its network and data are read again.
        asked: what is to be kept.
        tell: is told of every candidate that is scored.

    Raises:
        ResultsError: the run holds no such sweep, is of another network or data, or no candidate loses so little.
    """
    made, measure = candidates(run, asked), MEASURES[asked.measure]
    score = _scorer(run, asked)
    best, low, high = None, -1, len(made)
    probe = high - 1
    while low < probe < high:
        plan = score(made[probe])
        tell(f"{probe} moves to fewer bits, scored together: {measure.text(plan.lost)}, of {measure.limit(asked.most)}")
        if plan.lost <= asked.most:
            best, low = plan, probe
        else:
            high = probe
        probe = (low + high) // 2 if high > 1 else 0
    if best is None:
        raise ResultsError(
            f"{run.folder}: no plan keeps {measure.limit(asked.most)}: with every layer at {asked.fallback} it is "
            f"{measure.text(plan.lost)}"
        )
    return best


def _scorer(run: NetworkRun, asked: Asked) -> Callable[[Candidate], JointPlan]:
    """Return what scores a candidate on the network and the data of a run; raise ResultsError for other ones."""
    first = single_rows(run, asked.rows)[0]
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
        return _scored(run, (suite, bench), replace(trial, overrides=rules_text(made[1])), made, asked.measure)

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


def _scored(run: NetworkRun, place: tuple[Suite, Bench], trial: Trial, made: Candidate, measure: str) -> JointPlan:
    """Run a trial and compare it with the run's fp32 row, sample by sample."""
    suite, bench = place
    row = run_trial(
        Planned(trial, ("accuracy",)), bench, cache_hash="", rules=timing_rules(suite, quick=True), clock=Clock()
    )
    if row.status != "ok":
        raise QBenchError(row.reason)
    base = run.baseline
    if base is None:
        raise ResultsError(f"{run.folder}: expected an fp32 row, got none")
    column = measured_column(run, measure)
    line = frame(replace(run, results=(base, row))).iloc[-1]
    value, low, high = (line.get(f"{column}{end}") for end in ("", "_low", "_high"))
    cost = MEASURES[measure].cost
    ends = (cost(value if end is None else end) for end in (low, high))
    return JointPlan(*made, row, cost(value), *ends)
