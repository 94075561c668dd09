"""The most this machine can do, measured: operations per second by instruction class, bytes per second by memory level.

The loops are those of `qbench.kernels.ceiling`; here they are repeated, on one thread and on all, and timed. A ceiling
is the best of its samples: what disturbs a sample only ever makes it slower.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from qbench.kernels import ceiling
from qbench.kernels.program import run_task
from qbench.kernels.tasks import Task
from qbench.runner.machine.affinity import allowed_cpus, distinct_cores, pin_here
from qbench.runner.machine.environment import core_caches
from qbench.runner.timing.clock import Clock

ARITHMETIC = {
    "int8_gops": "u8_s8",
    "short_gops": ceiling.SHORT,
    "popcount_gops": "b1_b1",
    "ternary_gops": "t2_t2",
    "float32_gflops": "f32_f32",
}
"""Ceilings by the products that they count."""
_MEMORY_BYTES = 64 * 2**20
_READ_BYTES = 128 * 2**20
"""Read in a sample by each thread: a millisecond from the fastest cache."""
_SAMPLE_S = 0.02


def measure(threads: int, *, quick: bool = False, clock: Clock | None = None) -> dict[str, float]:
    """Return this machine's ceilings, those with `_1` on one thread, those with `_all` on `threads`.

    `int8_gops`, `popcount_gops`, `ternary_gops` and `float32_gflops` are 10^9 operations per second (two per
    multiply-add) of operands in the first-level cache, `short_gops` those by weights of 6 bits and fewer on a CPU that
    sums them in 16 bits; `read_gb_s` is 10^9 bytes per second from memory, `read_l2_gb_s` and
    `read_l3_gb_s` from the caches. An instruction class that this machine lacks is missing.
    """
    clock, samples = clock or Clock(), 5 if quick else 15
    found: dict[str, float] = {}
    for suffix, count in {"1": 1, "all": threads}.items():
        with ThreadPoolExecutor(count) as pool:
            team = _Team(pool, count, clock)
            for name, product in ARITHMETIC.items():
                if loop := ceiling.arithmetic(product):
                    found[f"{name}_{suffix}"] = _arithmetic_rate(loop, team, samples) * 1e-9
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


def _arithmetic_rate(loop: ceiling.Arithmetic, team: _Team, samples: int) -> float:
    """Return operations per second of all threads together."""
    sweeps = 1000
    while (elapsed_s := team.elapsed_s(_apart([loop.task(sweeps) for _ in range(team.count)]))) < _SAMPLE_S:
        sweeps = int(sweeps * min(10.0, 1.2 * _SAMPLE_S / max(elapsed_s, 1e-9))) + 1
    work = _apart([loop.task(sweeps) for _ in range(team.count)])
    return loop.operations * sweeps * team.count / min(team.elapsed_s(work) for _ in range(samples))


def _apart(tasks: Sequence[Task]) -> Callable[[int], None]:
    """Return what each thread does: a task of its own."""
    return lambda thread: run_task(tasks[thread])


def _levels(threads: int) -> dict[str, int]:
    """Return the bytes that a thread reads to see each level: half of its own cache, its half share of the last one."""
    caches = core_caches()
    levels = {"read_gb_s": max(_MEMORY_BYTES, 4 * max(caches.values(), default=0)) // threads}
    if "l2" in caches:
        levels["read_l2_gb_s"] = caches["l2"] // 2
    if "l3" in caches and caches["l3"] // (2 * threads) > 2 * caches.get("l2", 0):
        levels["read_l3_gb_s"] = caches["l3"] // (2 * threads)
    return {name: size - size % ceiling.READ_UNIT for name, size in levels.items()}


def _read_rate(size: int, team: _Team, samples: int) -> float:
    """Return bytes per second that all threads together read, each from `size` bytes of its own."""
    times = -(-_READ_BYTES // size)
    read = _apart([ceiling.read_task(size, times) for _ in range(team.count)])
    team.elapsed_s(read)
    return times * size * team.count / min(team.elapsed_s(read) for _ in range(samples))
