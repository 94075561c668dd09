"""Several draws of one trial are told together: their mean, the least and the most."""

from __future__ import annotations

from dataclasses import replace

from qbench.core.trial import Metric, TrialResult
from qbench.results import frame, read_run
from qbench.results.draws import draws
from qbench.results.tables import markdown_table
from tests.results.conftest import MakeRun, row


def drawn(score: float, **changes: object) -> TrialResult:
    plain = row()
    metrics = plain.metrics | {"top1_percent": Metric(score, "%", "higher")}
    return replace(plain, trial=replace(plain.trial, **changes), metrics=metrics)  # type: ignore[arg-type]


def test_rows_that_differ_in_their_seed_alone_are_told_with_their_spread(make_run: MakeRun) -> None:
    scored = [drawn(score, seed=seed, source="noise") for seed, score in enumerate((90.0, 91.0, 92.5))]
    alone = [drawn(80.0, seed=0), drawn(81.0, seed=1, samples=16, calibration=16)]
    run = read_run(make_run("a", *scored, *alone, drawn(90.0, seed=0, source="noise", sweep="again")))
    (found,) = draws(run)
    assert found.scores == (90.0, 91.0, 92.5)
    assert found.text == "w8c-a8t mse, 3 draws of 512 (noise): top-1 % 91.17 on average, 90.00 to 92.50"
    assert f"- {found.text}\n" in markdown_table(run, frame(run))
