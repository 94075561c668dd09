"""Which cores a timing runs on: as many as it has threads, one hardware thread of each core, the same for all cells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TOPOLOGY = "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"


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


@contextmanager
def pinned(threads: int) -> Iterator[tuple[int, ...]]:
    """Keep every thread of this process, present and future, on `threads` cores; yield their numbers.

    Where the system has no such call (macOS) nothing is pinned and no number is yielded.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield ()
        return
    before = allowed_cpus()
    chosen = distinct_cores(before)[:threads]
    _move(set(chosen))
    try:
        yield tuple(chosen)
    finally:
        _move(set(before))


def _move(cpus: set[int]) -> None:
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError):  # a thread that has just ended
            os.sched_setaffinity(int(task), cpus)
