"""Who does the jobs of a run: today this machine alone. The run itself only hands out jobs and writes down rows.

A job of the phase `score` may be done anywhere, beside others. One of the phase `time` needs a host that may time,
which does one such job at a time and nothing beside it. What is learned of a machine (its ceilings, its readings)
belongs to that machine, and each row to the machine that made it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from qbench.errors import MachineError
from qbench.runner.job import AnyResult, AnyTrial, Job
from qbench.runner.machine import lock
from qbench.runner.machine.devices import DEVICES
from qbench.runner.machine.environment import versions
from qbench.runner.maker import Maker, open_maker

if TYPE_CHECKING:
    from qbench.runner.plan import Plan


@dataclass(frozen=True, slots=True)
class Host:
    """A machine that does jobs: its id, and whether times may be taken there."""

    machine: str
    may_time: bool = True

    def takes(self, job: Job) -> bool:
        """Return whether the job may be done here."""
        return self.may_time or job.phase != "time"


@dataclass(frozen=True, slots=True)
class Done:
    """A job that was done: the machine's id, and the row."""

    job: Job
    machine: str
    result: AnyResult


class Report(Protocol):
    """Hears from an executor what no row says."""

    def phase(self, text: str) -> None:
        """Hear what is being done outside of rows."""
        ...

    def started(self, trial: AnyTrial) -> None:
        """Hear which row begins."""
        ...

    def known(self, machine: str) -> Mapping[str, Any]:
        """Return the facts of a machine as far as they are known, empty ones too (`qbench.results.MachineFacts`)."""
        ...

    def learned(self, machine: str, **facts: Any) -> None:
        """Hear facts of a machine, in place of those that were known."""
        ...


class Executor(AbstractContextManager["Executor"], Protocol):
    """Does jobs; used in a `with`."""

    def run(self, jobs: Sequence[Job], report: Report) -> Generator[Done, None, None]:
        """Do the jobs and yield each when it is done, those of one host in order; raise MachineError as `dealt`."""
        ...


def dealt(jobs: Sequence[Job], hosts: Sequence[Host]) -> dict[Host, list[Job]]:
    """Deal jobs to the hosts that may do them, in turn.

    Raises:
        MachineError: there are times to take, and no host may.
    """
    hands: dict[Host, list[Job]] = {host: [] for host in hosts}
    for job in jobs:
        able = [host for host in hosts if host.takes(job)]
        if not able:
            raise MachineError(f"{job.trial.key}: none of {len(hosts)} hosts may take times")
        hands[min(able, key=lambda host: len(hands[host]))].append(job)
    return hands


class Local:
    """This machine, one job after the other.

    Args:
        plan: of the run.
        maker: who makes its rows; the one of its kind and device where it is left out.
    """

    def __init__(self, plan: Plan, maker: Maker | None = None) -> None:
        self._device = DEVICES[plan.suite.device]
        self.host = Host(self._device.identity())
        self._maker, self._checked = maker or open_maker(plan), False

    def run(self, jobs: Sequence[Job], report: Report) -> Generator[Done, None, None]:
        """Do the jobs; times are taken alone on the machine, with ceilings before them and readings between."""
        hand, machine = dealt(jobs, [self.host])[self.host], self.host.machine
        if not report.known(machine)["environment"]:
            report.learned(machine, environment=self._device.describe(), versions=versions())
        if hand and not self._checked:
            with lock.working(on_wait=lambda: _waiting(report)):
                self._check(report)
        for phase, some in groupby(hand, key=lambda job: job.phase):
            held = lock.timing if phase == "time" else lock.working
            with held(on_wait=lambda: _waiting(report)):
                yield from (self._timed if phase == "time" else self._scored)(list(some), report)

    def _check(self, report: Report) -> None:
        machine = self.host.machine
        environment = report.known(machine)["environment"]
        found = self._maker.check(report.phase, environment)
        if found:
            report.learned(machine, environment={**environment, **found})
        self._checked = True

    def _scored(self, jobs: Sequence[Job], report: Report) -> Iterator[Done]:
        for job in jobs:
            yield self._done(job, report)

    def _timed(self, jobs: Sequence[Job], report: Report) -> Iterator[Done]:
        machine = self.host.machine
        if not report.known(machine)["ceilings"]:
            report.phase("measuring what this machine can do")
            report.learned(machine, ceilings=self._maker.ceilings())
        self._read("before", report)
        for number, job in enumerate(jobs, start=1):
            yield self._done(job, report)
            if number % self._maker.rows_a_reading == 0 or number == len(jobs):
                self._read(job.trial.key, report)

    def _done(self, job: Job, report: Report) -> Done:
        report.started(job.trial)
        machine = self.host.machine
        return Done(job, machine, self._maker.make(job, report.known(machine)["ceilings"]))

    def _read(self, when: str, report: Report) -> None:
        machine = self.host.machine
        readings = [*report.known(machine)["canary"], self._maker.reading(when)]
        report.learned(machine, canary=readings, unstable=self._maker.is_unstable(readings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._maker.close()


def _waiting(report: Report) -> None:
    report.phase("waiting for another qbench on this machine: times are taken alone")
