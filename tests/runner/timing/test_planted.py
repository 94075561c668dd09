"""Faults that are planted: what is wrong, compiles or allocates is never timed, and the row says where."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qbench.core.cells.product import GemmProblem, KernelCell
from qbench.core.trial import TrialResult
from qbench.engine import Session
from qbench.errors import QBenchError
from qbench.kernels.compilations import count_compilation
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.kernels.subject import Subject
from qbench.runner.kernels.worker import Task, WrongError, _Worker
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.trial import run_trial
from qbench.runner.timing.allocations import refuse_allocations
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.elements import EXACT, far_element
from qbench.runner.timing.network import check_scored
from qbench.runner.timing.sampling import LoadRules, Rules
from qbench.suite import Planned

ROUGH = Rules(precision=0.5, seconds_a_cell=0.01, load=LoadRules(queries=8, seconds=5.0))


def wrong_at(cell: KernelCell, place: tuple[int, int], step: float) -> Task:
    operands = draw_operands(cell)
    expected = expected_output(cell, operands)
    expected[place] += step
    return Task(cell, operands, expected)


@pytest.mark.parametrize(
    ("out", "step", "said"),
    [
        ("s32", 1, r"1 of 1048576 numbers differ .* by up to 1 at \[700, 33\]"),
        ("f32", 2.0**-9, r" at \[700, 33\], expected"),
    ],
)
def test_one_wrong_number_of_a_million_is_never_timed(out: Any, step: float, said: str) -> None:
    worker = _Worker("qbench")
    with pytest.raises(WrongError, match=f"qbench: wrong: .*{said}"):
        worker.prepare(wrong_at(KernelCell(GemmProblem(1024, 16, 1024), "w8c-a8t", out), (700, 33), step))
    worker.drop(None)


def test_a_number_that_is_none_is_far() -> None:
    expected = np.ones((2, 3), np.float32)
    found = expected.copy()
    assert far_element(found, expected, EXACT) == ""
    found[1, 2] = np.nan
    assert far_element(found, expected, EXACT) == "nan at [1, 2], expected 1"
    with pytest.raises(QBenchError, match="fresh: logits are nan dB from those that were scored; not timed"):
        check_scored("fresh", found, expected, each=False)


def test_answers_of_a_fresh_process_are_held_against_those_that_were_scored_number_by_number() -> None:
    scored = np.ones((64, 64), np.float32)
    found = scored.copy()
    found[5, 2] += 0.001  # 96 dB
    check_scored("fresh", found, scored, each=False)
    with pytest.raises(QBenchError, match=r"fresh: a logit is 1.001 at \[5, 2\], expected 1, as it was scored"):
        check_scored("fresh", found, scored, each=True)


TASK_CELL = KernelCell(GemmProblem(9, 64, 33), "w8c-a8t", "s32")


def test_an_operation_that_compiles_while_it_is_timed_is_wrong() -> None:
    worker, operands = _Worker("qbench"), draw_operands(TASK_CELL)
    worker.prepare(Task(TASK_CELL, operands, expected_output(TASK_CELL, operands)))
    worker._prepared.run = count_compilation
    with pytest.raises(WrongError, match="qbench: 1 kernels compiled while times were taken"):
        worker.time(1)
    worker._stack.close()


def test_an_operation_that_allocates_is_never_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Subject.run

    def wasteful(self: Subject) -> None:
        run(self)
        np.ones(1 << 20, np.uint8)

    monkeypatch.setattr(Subject, "run", wasteful)
    worker, operands = _Worker("qbench"), draw_operands(TASK_CELL)
    with pytest.raises(WrongError, match=r"qbench: a call allocates 1,0\d\d,\d{3} bytes, most at test_planted.py:\d+;"):
        worker.prepare(Task(TASK_CELL, operands, expected_output(TASK_CELL, operands)))
    worker.drop(None)


def test_a_call_may_allocate_its_answer() -> None:
    refuse_allocations("call", lambda: np.zeros(1 << 20, np.uint8), answer_bytes=1 << 20)
    with pytest.raises(QBenchError, match="expected at most its answer's 1,000"):
        refuse_allocations("call", lambda: np.zeros(1 << 20, np.uint8), answer_bytes=1000)


def row_with(
    run: Callable[[Callable[..., Any], Any], Any], planned: Planned, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> TrialResult:
    """The row of a trial whose session answers a call of 8 images as `run` has it."""
    honest = Session.run

    def answered(self: Session, *inputs: Any) -> Any:
        return run(lambda: honest(self, *inputs), inputs) if len(inputs[0]) == 8 else honest(self, *inputs)

    monkeypatch.setattr(Session, "run", answered)
    return run_trial(planned, bench, cache_hash="h", rules=ROUGH, clock=Clock())


def wrong(call: Callable[[], Any], _: Any) -> Any:
    found = call()
    found[5, 2] *= 1.0005
    return found


def compiling(call: Callable[[], Any], _: Any) -> Any:
    count_compilation()
    return call()


def wasteful(call: Callable[[], Any], inputs: Any) -> Any:
    np.concatenate([inputs[0]] * 100)
    return call()


@pytest.mark.parametrize(
    ("fault", "measure", "said"),
    [
        (wrong, "speed", r"batch 8: a logit is .* at \[5, 2\], expected .*; not timed"),
        (compiling, "latency", r"\d+ kernels compiled while"),
        (wasteful, "latency", r"batch 8: a call allocates [\d,]+ bytes, most at test_planted.py:\d+; .*; not timed"),
    ],
)
def test_a_network_with_a_fault_is_a_failed_row_that_says_where(
    fault: Any, measure: Any, said: str, planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = replace(planned["speed/w8c-a8t"], measure=("accuracy", measure))
    row = row_with(fault, item, bench, monkeypatch)
    assert row.status == "failed"
    assert re.search(said, row.reason), row.reason
    assert row.measurements == ()
