"""One task that runs others in turns: what goes step by step, as a recurrence does, stays in one compiled call.

Its arguments are words: how many turns, the address of a clock that tells the tasks which turn it is, how many tasks
come before the turns, in each and after them, and then of every task what `program` holds of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qbench.kernels.native import task_function
from qbench.kernels.tasks import Task, Words

HEAD, ROW = 5, 5


def clock() -> Words:
    """Return a clock: the number of the turn, from 0 on."""
    return np.zeros(1, np.int64)


def in_turns(turns: int, ticks: Words, tasks: tuple[Sequence[Task], Sequence[Task], Sequence[Task]]) -> Task:
    """Return the task that runs some tasks once, others in every turn, and others once more behind them.

    One thread does all of it; the others of a team wait at its gate.

    Args:
        turns: how many.
        ticks: the clock, from `clock`.
        tasks: those before the turns, in each, and after them.
    """
    words = [turns, ticks.ctypes.data, *map(len, tasks)]
    for task in (task for group in tasks for task in group):
        few = task.few or task
        words += [task.address, task.arguments.ctypes.data, task.least, few.address, few.arguments.ctypes.data]
    return Task(task_function("qbench.kernels.turns:runner"), np.array(words, np.int64), (tasks, ticks))


def runner() -> Callable[..., Any]:
    """Return the function that runs tasks in turns."""
    from qbench.kernels.callers import word  # with Numba, which a function that lies on disk does without
    from qbench.kernels.jit import inlined
    from qbench.kernels.passes import call_task, poke

    @inlined
    def run_all(arguments: Any, first: int, last: int, images: int) -> None:
        for task in range(first, last):
            at = HEAD + task * ROW
            which = at if images >= word(arguments, at + 2) else at + 3  # type: ignore[call-arg]
            call_task(word(arguments, which), word(arguments, which + 1), images, 0, 1)

    def run(arguments: Any, images: int, part: int, parts: int) -> None:
        if part == 0:
            before: int = word(arguments, 2)  # type: ignore[call-arg]
            each: int = before + word(arguments, 3)
            run_all(arguments, 0, before, images)
            for turn in range(word(arguments, 0)):
                poke(word(arguments, 1), turn)
                run_all(arguments, before, each, images)
            run_all(arguments, each, each + word(arguments, 4), images)

    return run
