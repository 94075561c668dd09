"""Threads that run programs: each its own share of the images, or all together on every layer.

A thread that has just worked polls for its next job for about a millisecond, since waking a sleeping one costs more
than a small network's whole pass; then it sleeps.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from qbench.kernels.program import ASLEEP, DONE, JOB, LINE, entry_of, gate_of, job_words, mailboxes, team_state
from qbench.kernels.tasks import Words

POLLS = 4_000_000
"""Looks at an empty mailbox, 0.24 ns each here: about a millisecond."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A run of a program: the program, where its ends lie, images first..last, the most images per pass."""

    program: Words
    pointers: Words
    first: int
    last: int
    most: int
    words: Words = field(init=False)
    address: int = field(init=False)

    def __post_init__(self) -> None:
        words = job_words(self.program, self.pointers, self.first, self.last, self.most)
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "address", words.ctypes.data)


class _Helper:
    """A thread and its mailbox."""

    def __init__(self, mail: Words, gate: Words, number: int) -> None:
        self.mail, self._number = mail, number
        self._gate, self._wake, self._open = gate, threading.Semaphore(0), True
        self._address, self._post, self._await = mail.ctypes.data, entry_of("post"), entry_of("await")
        self._thread = threading.Thread(target=self._work, name="qbench", daemon=True)
        self._thread.start()

    def post(self, job: Job) -> None:
        if self._post(self._address, job.address, 0, 1):
            self.wake()

    def wake(self) -> None:
        self._wake.release()

    def wait(self) -> None:
        self._await(self._address, 0, 0, 0)

    def close(self) -> None:
        self._open = False
        self.wake()
        self._thread.join()

    def _work(self) -> None:
        mail, serve = self.mail, entry_of("serve")
        ends = (self._address, self._gate.ctypes.data, len(self._gate) // LINE, POLLS)
        _stay_on_core(self._number)
        while self._open:
            serve(*ends)
            mail[ASLEEP] = 1
            if mail[JOB] == mail[DONE] and self._open:  # looked at after saying so: a job posted before is seen here
                self._wake.acquire()
            mail[ASLEEP] = 0


def _stay_on_core(number: int) -> None:
    """Keep the calling thread on the `number`-th core that it may use.

    Linux wakes a helper on the core of the thread that wakes it: two polling threads then share it, at half the speed.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


class Team:
    """`threads` threads, the caller's among them. One run at a time."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._gate = gate_of(threads)
        self._mails = mailboxes(threads - 1)
        self._state = team_state(self._mails, self._gate)
        self._address = self._state.ctypes.data
        self._alone, self._together = entry_of("alone"), entry_of("team")
        self._helpers = [_Helper(mail, self._gate, number) for number, mail in enumerate(self._mails, 1)]

    def apart(self, jobs: Sequence[Job]) -> None:
        """Run one job a thread."""
        helpers = self._helpers[: len(jobs) - 1]
        for helper, job in zip(helpers, jobs[1:], strict=True):
            helper.post(job)
        self._alone(jobs[0].address, 0, 0, 0)
        for helper in helpers:
            helper.wait()

    def together(self, job: Job) -> None:
        """Run one job, every task of it shared by all threads."""
        while not self._together(self._address, job.address, 0, 0):
            for helper in self._helpers:
                if helper.mail[ASLEEP]:
                    helper.wake()

    def close(self) -> None:
        """End the threads."""
        for helper in self._helpers:
            helper.close()
        self._helpers = []
