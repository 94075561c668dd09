"""What this machine can do at most, measured: operations a second by instruction class, bytes a second by memory level.

The loops are those of `qbench.kernels.ceiling`; here they are repeated, on one thread and on all, and timed. A ceiling
is the best of its samples: what disturbs a sample only ever makes it slower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from qbench.kernels import ceiling
from qbench.kernels.layout import aligned
from qbench.runner.affinity import allowed_cpus, distinct_cores, pin_here
from qbench.runner.clock import Clock
from qbench.runner.environment import core_caches

ARITHMETIC: dict[str, Callable[[int], int]] = {
    "int8_gops": ceiling.int8_dot,
    "short_gops": ceiling.short_dot,
    "popcount_gops": ceiling.popcount,
    "ternary_gops": ceiling.ternary,
    "float32_gflops": ceiling.float32_fma,
}
_MEMORY_BYTES = 64 * 2**20
_SAMPLE_S = 0.02


def measure(threads: int, *, quick: bool = False, clock: Clock | None = None) -> dict[str, float]:
    """Return this machine's ceilings, those with `_1` on one thread, those with `_all` on `threads`.

    `int8_gops`, `popcount_gops`, `ternary_gops` and `float32_gflops` are 10^9 operations a second (two a multiply-add)
    of operands in the first-level cache, `short_gops` those by weights of 6 bits and fewer on a CPU that sums them in
    16 bits; `read_gb_s` is 10^9 bytes a second from memory, `read_l2_gb_s` and
    `read_l3_gb_s` from the caches. An instruction class that this machine lacks is missing.
    """
    clock, samples = clock or Clock(), 5 if quick else 15
    found: dict[str, float] = {}
    for suffix, count in {"1": 1, "all": threads}.items():
        with ThreadPoolExecutor(count) as pool:
            team = _Team(pool, count, clock)
            for name, loop in ARITHMETIC.items():
                rate = _arithmetic_rate(loop, team, samples)
                if rate:
                    found[f"{name}_{suffix}"] = rate * 1e-9
            for name, size in _levels(count).items():
                found[f"{name}_{suffix}"] = _read_rate(size, team, samples) * 1e-9
    return found


class _Team:
    """Threads that start together; the time is that from the first start to the last end."""

    def __init__(self, pool: ThreadPoolExecutor, count: int, clock: Clock) -> None:
        self._pool, self.count, self._clock = pool, count, clock

    def elapsed_s(self, work: Callable[[int], object]) -> float:
        """Return the seconds in which every thread does `work(thread)` once."""
        barrier = threading.Barrier(self.count)
        cpus = distinct_cores(allowed_cpus())

        def run(thread: int) -> tuple[float, float]:
            pin_here(cpus[thread % len(cpus)])
            barrier.wait()
            start_s = self._clock.now_s()
            work(thread)
            return start_s, self._clock.now_s()

        spans = list(self._pool.map(run, range(self.count)))
        return max(end for _, end in spans) - min(start for start, _ in spans)


def _arithmetic_rate(loop: Callable[[int], int], team: _Team, samples: int) -> float:
    """Return operations a second of all threads together; 0 when the machine has no such instructions."""
    if not loop(1):
        return 0.0
    loops = 1000
    while (elapsed_s := team.elapsed_s(partial(_repeat, loop, loops))) < _SAMPLE_S:
        loops = int(loops * min(10.0, 1.2 * _SAMPLE_S / max(elapsed_s, 1e-9))) + 1
    operations = loop(1) * loops * team.count
    return operations / min(team.elapsed_s(partial(_repeat, loop, loops)) for _ in range(samples))


def _repeat(loop: Callable[[int], int], loops: int, _thread: int) -> int:
    return loop(loops)


def _levels(threads: int) -> dict[str, int]:
    """Return the bytes that a thread reads to see each level: half of its own cache, its half share of the last one."""
    caches = core_caches()
    levels = {"read_gb_s": max(_MEMORY_BYTES, 4 * max(caches.values(), default=0)) // threads}
    if "l2" in caches:
        levels["read_l2_gb_s"] = caches["l2"] // 2
    if "l3" in caches and caches["l3"] // (2 * threads) > 2 * caches.get("l2", 0):
        levels["read_l3_gb_s"] = caches["l3"] // (2 * threads)
    return {name: size - size % 256 for name, size in levels.items()}


def _read_rate(size: int, team: _Team, samples: int) -> float:
    """Return bytes a second that all threads together read, each from `size` bytes of its own."""
    buffers = [aligned(size) for _ in range(team.count)]
    for buffer in buffers:
        buffer.fill(1)  # touches every page: pages that were never written all share one
    turns = max(1, round(16 * 2**20 / size))

    def read(thread: int) -> int:
        return int(np.sum([ceiling.read_bytes(buffers[thread]) for _ in range(turns)], dtype=np.uint64))

    team.elapsed_s(read)
    return turns * size * team.count / min(team.elapsed_s(read) for _ in range(samples))
