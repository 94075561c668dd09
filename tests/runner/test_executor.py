"""Jobs are values, dealt to hosts: rows of two machines stand in one run, and times are taken where they may be."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from qbench.core.trial import Measurement, Trial, TrialResult
from qbench.errors import MachineError
from qbench.report import write_report
from qbench.results import compare_runs, read_run
from qbench.results.index import frame
from qbench.runner import Silent, plan_run
from qbench.runner.executor import Done, Host, Report, dealt
from qbench.runner.experiment import open_run, run_plan
from qbench.runner.job import Job
from qbench.suite import Suite

FAST, SLOW = Host("fast"), Host("slow", may_time=False)


def row_of(job: Job) -> TrialResult:
    """The row that a host sends back: it has nothing but the job."""
    trial = job.trial
    assert isinstance(trial, Trial)
    timed = [Measurement(f"network/batch{n}", "qbench", (1e-3,) * 6, 1, n, 9_000_000, 2) for n in trial.batch_sizes]
    return TrialResult(trial, job.cache_hash, "ok", execution="integer", measurements=tuple(timed))


class TwoHosts:
    """Does jobs on two hosts, by turns; what goes to a host and what comes back is pickled."""

    def __init__(self) -> None:
        self.sent: dict[str, list[str]] = {FAST.machine: [], SLOW.machine: []}

    def run(self, jobs: Sequence[Job], report: Report) -> Generator[Done, None, None]:
        for host, hand in dealt(jobs, (FAST, SLOW)).items():
            report.learned(host.machine, environment={"cpu_model": f"the {host.machine} one"})
            for job in hand:
                report.started(job.trial)
                self.sent[host.machine].append(job.phase)
                if job.phase == "time":
                    report.learned(host.machine, ceilings={"float32_gflops_all": 10.0}, unstable=True)
                sent = pickle.loads(pickle.dumps(job))
                yield pickle.loads(pickle.dumps(Done(job, host.machine, row_of(sent))))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


@pytest.fixture
def folder(suite: Suite, tmp_path: Path) -> Path:
    plan = plan_run(suite, tmp_path, quick=True)
    with open_run(plan, tmp_path / suite.name) as writer, TwoHosts() as executor:
        run_plan(plan, writer, executor, Silent())
        assert set(executor.sent["slow"]) == {"score"}
        assert set(executor.sent["fast"]) == {"score", "time"}
        return writer.folder


def test_rows_of_two_hosts_stand_in_one_run_each_with_its_machine(suite: Suite, folder: Path) -> None:
    run = read_run(folder)
    assert run.header.state.finished
    assert {row.trial.key for row in run.results} == {job.trial.key for job in plan_run(suite, folder.parents[1]).jobs}
    assert {row.machine for row in run.results if row.measurements} == {"fast"}
    assert {row.machine for row in run.results if not row.measurements} == {"fast", "slow"}
    assert frame(run)["machine"].tolist() == [row.machine for row in run.results]


def test_the_header_holds_the_facts_of_both_machines_and_rows_are_held_to_their_own(folder: Path) -> None:
    header = read_run(folder).header
    assert header.machine_of("slow").environment == {"cpu_model": "the slow one"}
    assert (header.machine_of("slow").ceilings, header.machine_of("slow").unstable) == ({}, False)
    assert header.machine_of("fast").ceilings == {"float32_gflops_all": 10.0}
    assert header.unstable
    page = write_report([folder], folder).read_text(encoding="utf-8")
    assert page.index("the fast one") < page.index("the slow one")
    assert compare_runs(read_run(folder), read_run(folder)).differences == ()


def test_times_are_dealt_to_hosts_that_may_take_them(suite: Suite, tmp_path: Path) -> None:
    jobs = plan_run(suite, tmp_path).jobs
    hands = dealt(jobs, (SLOW, FAST, Host("other")))
    assert sum(len(hand) for hand in hands.values()) == len(jobs)
    assert all(job.phase == "score" for job in hands[SLOW])
    assert max(map(len, hands.values())) <= len(jobs) - 2
    with pytest.raises(MachineError, match="none of 1 hosts may take times"):
        dealt(jobs, (SLOW,))
