"""Verdicts of two runs: what is said, what is left unsaid, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qbench.core.trial import Measurement, Metric, TrialResult
from qbench.metrics.speed import verdict
from qbench.results import Comparison, DataFacts, compare_runs, comparison_markdown, read_run
from qbench.results.judge import BETWEEN_PROCESSES, Logs, holm, shift

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]

RNG = np.random.default_rng(7)


def times(median_s: float, *, spread: float = 0.01) -> tuple[float, ...]:
    return tuple(median_s * np.exp(spread * RNG.standard_normal(41)))


def verdicts(comparison: Comparison, kind: str) -> list[str]:
    return [row.verdict for row in comparison.rows if row.kind == kind]


@pytest.mark.parametrize(
    ("after_s", "verdict"), [(0.0008, "FASTER"), (0.0013, "SLOWER"), (0.001, "SAME"), (0.00101, "SAME")]
)
def test_a_time_is_judged_by_its_ratio(make_run: MakeRun, make_row: MakeRow, after_s: float, verdict: str) -> None:
    before = read_run(make_run("a", make_row(times_s=times(0.001))))
    after = read_run(make_run("b", make_row(times_s=times(after_s))))
    found = compare_runs(before, after)
    assert verdicts(found, "time") == [verdict]
    (row,) = (row for row in found.rows if row.kind == "time")
    assert row.change == pytest.approx(0.001 / after_s, rel=0.01)
    assert row.low <= row.change <= row.high
    assert row.basis == "against onnxruntime-fp32"


def test_few_and_noisy_rounds_are_unsure(make_run: MakeRun, make_row: MakeRow) -> None:
    before = read_run(make_run("a", make_row(times_s=(0.001, 0.0014, 0.0009))))
    after = read_run(make_run("b", make_row(times_s=(0.0011, 0.0016, 0.0008))))
    assert verdicts(compare_runs(before, after), "time") == ["UNSURE"]


def slowed(result: TrialResult, factor: float) -> TrialResult:
    """The same row on a host that runs everything slower."""
    cells = [replace(cell, samples_s=tuple(factor * time for time in cell.samples_s)) for cell in result.measurements]
    return replace(result, measurements=tuple(cells))


def test_a_host_that_drifts_by_half_changes_no_verdict(make_run: MakeRun, make_row: MakeRow) -> None:
    row = make_row(times_s=times(0.001))
    before, after = read_run(make_run("a", row)), read_run(make_run("b", slowed(row, 1.5)))
    assert verdicts(compare_runs(before, after), "time") == ["SAME"]


def test_without_a_common_reference_raw_times_are_compared_and_it_is_said(make_run: MakeRun, make_row: MakeRow) -> None:
    def alone(median_s: float) -> TrialResult:
        row = make_row(times_s=times(median_s))
        return replace(row, measurements=row.measurements[:1])

    found = compare_runs(read_run(make_run("a", alone(0.001))), read_run(make_run("b", alone(0.0008))))
    (row,) = (row for row in found.rows if row.kind == "time")
    assert (row.basis, row.verdict) == ("raw times", "FASTER")


def test_times_of_other_machines_are_shown_but_not_judged(make_run: MakeRun, make_row: MakeRow) -> None:
    before = read_run(make_run("a", make_row(times_s=times(0.001))))
    after = read_run(make_run("b", make_row(times_s=times(0.002)), environment={"cpu_model": "two"}))
    found = compare_runs(before, after)
    assert verdicts(found, "time") == ["NOT JUDGED"]
    assert found.differences == ("cpu_model: one before, two after",)


@pytest.mark.parametrize(("after_s", "verdict"), [(0.00111, "SLOWER"), (0.00103, "UNSURE"), (0.001, "UNSURE")])
def test_an_unsteady_host_widens_the_interval_of_a_ratio_and_forbids_no_verdict(
    make_run: MakeRun, make_row: MakeRow, after_s: float, verdict: str
) -> None:
    before = read_run(make_run("a", make_row(times_s=times(0.001))))
    after = read_run(make_run("b", make_row(times_s=times(after_s)), unstable=True))
    found = compare_runs(before, after)
    assert verdicts(found, "time") == [verdict]
    (row,) = (row for row in found.rows if row.kind == "time")
    assert row.high / row.low > 1.08


def test_raw_times_of_an_unsteady_host_are_not_judged(make_run: MakeRun, make_row: MakeRow) -> None:
    row = make_row(times_s=times(0.001))
    alone = replace(row, measurements=row.measurements[:1])
    found = compare_runs(read_run(make_run("a", alone)), read_run(make_run("b", alone, unstable=True)))
    assert verdicts(found, "time") == ["NOT JUDGED"]


def replicated(row: TrialResult, moved: Sequence[float]) -> TrialResult:
    """The same row over fresh processes, each of which is slower by some share than another."""
    cells = []
    for cell in row.measurements:
        scales = [1.0 + (share if cell.cell == "qbench" else 0.0) for share in moved]
        samples = tuple(scale * time for scale in scales for time in cell.samples_s)
        cells.append(replace(cell, samples_s=samples, processes=(len(cell.samples_s),) * len(moved)))
    return replace(row, measurements=tuple(cells))


@pytest.mark.parametrize(
    ("slower", "spread", "verdict"), [(0.0, 0.002, "SAME"), (0.06, 0.002, "SLOWER"), (0.06, 0.05, "UNSURE")]
)
def test_runs_over_several_processes_are_judged_by_these(
    make_run: MakeRun, make_row: MakeRow, slower: float, spread: float, verdict: str
) -> None:
    """Thousands of rounds that agree within a process say nothing of the next one."""
    row, moved = make_row(times_s=times(0.001, spread=0.001)), np.array([-1.0, 0.0, 1.0, 0.3])
    before = read_run(make_run("a", replicated(row, spread * moved)))
    after = read_run(make_run("b", replicated(row, slower + spread * moved[::-1]), unstable=True))
    found = compare_runs(before, after)
    assert verdicts(found, "time") == [verdict]
    (time,) = (row for row in found.rows if row.kind == "time")
    assert time.basis == "against onnxruntime-fp32, 4 and 4 processes"


def test_two_runs_of_an_unsteady_host_say_nothing_false_and_find_ten_percent() -> None:
    """Six comparisons of 20 ratios of single processes that differ by 0.013 each; two of each are slower by 10 %."""
    rng = np.random.default_rng(0)

    def run(moved: float) -> list[Logs]:
        return [moved + rng.normal(0.0, 0.013) + rng.normal(0.0, 0.01, 12)]

    words: dict[bool, list[str]] = {True: [], False: []}
    for _ in range(6):
        planted = [number < 2 for number in range(20)]
        found = [shift(run(0.0), run(-np.log(1.1) * slower), spread=BETWEEN_PROCESSES) for slower in planted]
        corrected = holm([p for _, p in found])
        for slower, (ratio, _), p in zip(planted, found, corrected, strict=True):
            words[slower].append(verdict(ratio) if p < 0.05 else "UNSURE")
    assert not {"FASTER", "SLOWER"} & set(words[False])
    assert words[True].count("SLOWER") >= 11


@pytest.mark.parametrize(("wrong", "verdict"), [(20, "SAME"), (22, "UNSURE"), (60, "WORSE"), (4, "BETTER")])
def test_accuracy_is_judged_on_the_same_images(make_run: MakeRun, make_row: MakeRow, wrong: int, verdict: str) -> None:
    before, after = read_run(make_run("a", make_row(wrong=20))), read_run(make_run("b", make_row(wrong=wrong)))
    found = compare_runs(before, after, points=0.75)
    assert verdicts(found, "accuracy") == [verdict]


def test_accuracy_on_other_images_is_not_compared(make_run: MakeRun, make_row: MakeRow) -> None:
    other = DataFacts(name="own", sha256="9" * 64, images=400)
    before, after = read_run(make_run("a", make_row())), read_run(make_run("b", make_row(), data=other))
    assert verdicts(compare_runs(before, after), "accuracy") == []


def test_sizes_are_compared_exactly(make_run: MakeRun, make_row: MakeRow) -> None:
    before = read_run(make_run("a", make_row()))
    after = read_run(make_run("b", make_row(metrics={"packed_bytes": Metric(1001, "B")})))
    found = compare_runs(before, after)
    assert verdicts(found, "size") == ["LARGER"]


def test_rows_of_one_run_alone_are_counted(make_run: MakeRun, make_row: MakeRow) -> None:
    before = read_run(make_run("a", make_row(), make_row("w4c-a8t")))
    after = read_run(make_run("b", make_row(), make_row("w2c-a8t", status="failed")))
    found = compare_runs(before, after)
    assert found.only_before == ("speed/resnet20/all/w4c-a8t/mse/s0",)
    assert found.only_after == ()


def test_the_markdown_holds_every_row_and_what_speaks_against_it(make_run: MakeRun, make_row: MakeRow) -> None:
    before = read_run(make_run("a", make_row(times_s=times(0.001))))
    after = read_run(make_run("b", make_row(times_s=times(0.0005)), environment={"cpu_model": "two"}))
    found = compare_runs(before, after)
    text = comparison_markdown(before, after, found)
    assert text.startswith("# b against a\n")
    assert "the machines differ: cpu_model: one before, two after" in text
    assert sum(line.startswith("| speed/") for line in text.splitlines()) == len(found.rows)


def test_layers_alone_are_not_mistaken_for_the_network(make_run: MakeRun, make_row: MakeRow) -> None:
    cell = Measurement("layer/stem/batch8", "qbench", times(0.001), 1, 8)
    runs = [read_run(make_run(name, make_row(measurements=(cell,)))) for name in "ab"]
    assert verdicts(compare_runs(*runs), "time") == []


def test_holm_corrects_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_of_a_shift_holds_the_truth_19_times_of_20() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        ratio, _ = shift([rng.standard_normal(41) * 0.02], [0.05 + rng.standard_normal(41) * 0.02])
        hits += ratio.low <= np.exp(0.05) <= ratio.high
    assert hits >= 54
