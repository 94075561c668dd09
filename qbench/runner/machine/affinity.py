"""Which cores a timing runs on: as many as it has threads, one hardware thread of each core, the same for all cells.

Threads are pinned one by one. Left alone, Linux wakes a sleeping helper on the core of the thread that wakes it, and
both then share that core for tens of milliseconds: measured, a network on two threads took 30 ms instead of 15 after a
pause of 60 ms.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TOPOLOGY = "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
_TASKS = Path("/proc/self/task")


def allowed_cpus() -> list[int]:
    """Return the numbers of the CPUs that this process may use, ascending; all where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def distinct_cores(cpus: list[int]) -> list[int]:
    """Return `cpus` with one hardware thread of every core first and their siblings after."""
    first: list[int] = []
    rest: list[int] = []
    seen: set[str] = set()
    for cpu in cpus:
        try:
            core = Path(_TOPOLOGY.format(cpu=cpu)).read_text(encoding="ascii").strip()
        except OSError:
            core = str(cpu)
        (rest if core in seen else first).append(cpu)
        seen.add(core)
    return first + rest


def other_threads() -> list[int]:
    """Return the system's numbers of all threads of this process but the calling one, oldest first, if reported."""
    me = threading.get_native_id()
    return sorted(int(task) for task in os.listdir(_TASKS) if int(task) != me) if _TASKS.is_dir() else []


class Pins:
    """The calling thread on the first core, every other thread on one of the rest, in turn.

    A library's pool has one helper for each core but the first, started one after another: each gets its own core.
    """

    def __init__(self, cpus: list[int]) -> None:
        self.cpus = tuple(cpus)
        self._placed: set[int] = set()

    def renew(self) -> None:
        """Pin the calling thread, and the threads that have been started since the last time."""
        if not hasattr(os, "sched_setaffinity"):
            return
        os.sched_setaffinity(0, self.cpus[:1])
        helpers = self.cpus[1:] or self.cpus
        for thread in other_threads():
            if thread not in self._placed:
                with suppress(OSError):  # a thread that has just ended
                    os.sched_setaffinity(thread, {helpers[len(self._placed) % len(helpers)]})
                self._placed.add(thread)


@contextmanager
def pinned(threads: int) -> Iterator[Pins]:
    """Keep this process on `threads` cores, each thread on one of them; all may go anywhere again afterwards.

    Threads that are started inside begin on the first core: `renew` gives them their own. Where the system cannot pin
    (macOS) nothing is done.
    """
    before = allowed_cpus()
    pins = Pins(distinct_cores(before)[:threads])
    try:
        pins.renew()
        yield pins
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, before)
            for thread in other_threads():
                with suppress(OSError):
                    os.sched_setaffinity(thread, before)


def pin_here(cpu: int) -> None:
    """Keep the calling thread on one CPU, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})
