"""Programs: tasks in order, run for any number of images in one compiled call, by one thread or by a team.

A program is an int64 array (calls, 7): addresses of a task's function and arguments, the first image of the pass that
it takes, and the most; the least, and the addresses of what runs where fewer come. A team shares every task: its
threads meet at a gate after each. The loops are in `passes`; here is what they read, and what calls them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qbench.kernels.native import Entry, entry
from qbench.kernels.tasks import Task, Words

LINE = 8
"""Words from one thread's counter to the next: a cache line each."""
CALL_WORDS = 7
ALL_IMAGES = 1 << 40
PATIENCE = 20_000
"""Polls of a gate before the thread offers its core to others (about 5 us)."""
NO_POINTERS: npt.NDArray[np.int64] = np.zeros((0, 3), np.int64)


def program_of(tasks: Sequence[Task], places: Sequence[tuple[int, int]] = ()) -> Words:
    """Return the program of these tasks; the caller keeps them alive.

    Args:
        tasks: in order.
        places: the first image of a pass that each takes, and the most; all of them where nothing is said.
    """
    ends = places or [(0, ALL_IMAGES)] * len(tasks)
    rows = [
        (*_addresses(task), *end, task.least, *_addresses(task.few or task))
        for task, end in zip(tasks, ends, strict=True)
    ]
    return np.array(rows, np.int64).reshape(-1, CALL_WORDS)


def _addresses(task: Task) -> tuple[int, int]:
    return task.address, task.arguments.ctypes.data


def gate_of(threads: int) -> Words:
    """Return a gate for a team: a counter per thread."""
    return np.zeros(threads * LINE, np.int64)


JOB, DONE, ASLEEP, FIELDS = 0, LINE, 2 * LINE, 3 * LINE
MAIL_WORDS = 5 * LINE
"""A mailbox: counters of jobs posted and done, whether its thread sleeps, and the fields of one job."""


def mailboxes(count: int) -> Words:
    """Return empty mailboxes, one per row."""
    return np.zeros((count, MAIL_WORDS), np.int64)


JOB_WORDS = 7


def job_words(program: Words, pointers: Words, first: int, last: int, most: int) -> Words:
    """Return a run of a program as words; the caller keeps the arrays alive.

    Args:
        program: from `program_of`.
        pointers: int64 (n, 3): address of a task's argument, address of image 0 there, bytes per image.
        first: first image.
        last: image after the last.
        most: images per pass.
    """
    ends = (program.ctypes.data, len(program), pointers.ctypes.data, len(pointers), first, last, most)
    return np.array(ends, np.int64)


MAILS, HELPERS, GATE, EPOCH, POSTED, STATE_WORDS = range(6)
"""Words of a team's state: address and number of its mailboxes, address and epoch of its gate, is a job posted."""


def team_state(mails: Words, gate: Words) -> Words:
    """Return the state of a team with these mailboxes and this gate; the caller keeps them alive."""
    return np.array([mails.ctypes.data, len(mails), gate.ctypes.data, 0, 0], np.int64)


def entry_of(name: str) -> Entry:
    """Return the function that `<name>_entry` of `passes` makes, compiled."""
    return entry(f"qbench.kernels.passes:{name}_entry")


def run_task(task: Task, *, images: int = 1) -> None:
    """Run one task on this thread."""
    program = program_of((task,))
    job = job_words(program, NO_POINTERS, 0, images, images)
    entry_of("alone")(job.ctypes.data, 0, 0, 0)
