"""The canary: a fixed compute loop and a fixed memory loop, timed before, between and after the trials.

What they time never changes, so when they move, the host moved. A move above 3 % marks the run unstable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from qbench.runner.timing.clock import Clock

LIMIT = 0.03
_TRIES = 15
_NUMBERS = 9216
_PASSES = 500
_BUFFER_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Reading:
    """Median seconds of the two loops at one moment of a run."""

    when: str
    compute_s: float
    memory_s: float

    def as_dict(self) -> dict[str, str | float]:
        """Return the fields by name, as they stand in `run.json`."""
        return asdict(self)


class Canary:
    """Two loops over buffers that live as long as the run.

    The compute loop is element-wise arithmetic on 36 KiB, which NumPy runs on one thread; the other copies 64 MiB.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values = np.linspace(0.5, 1.5, _NUMBERS, dtype=np.float32)
        self._source = np.zeros(_BUFFER_BYTES, np.uint8)
        self._target = np.zeros(_BUFFER_BYTES, np.uint8)

    def read(self, when: str) -> Reading:
        """Return the median of 15 tries of each loop, about a quarter of a second in all."""
        return Reading(when, self._median_s(self._compute), self._median_s(self._memory))

    def _median_s(self, call: Callable[[], object]) -> float:
        call()
        return sorted(self._clock.elapsed_s(call, 1) for _ in range(_TRIES))[_TRIES // 2]

    def _compute(self) -> None:
        values = self._values
        for _ in range(_PASSES):
            np.sqrt(values, out=values)
            np.multiply(values, values, out=values)

    def _memory(self) -> None:
        np.copyto(self._target, self._source)


def largest_move(readings: Sequence[Mapping[str, str | float]]) -> float:
    """Return the largest relative distance of a reading from the first one, over both loops; 0 for fewer than two."""
    moves = [0.0]
    for name in ("compute_s", "memory_s"):
        times = [float(reading[name]) for reading in readings]
        moves += [abs(time_s / times[0] - 1.0) for time_s in times[1:]]
    return max(moves)


def is_unstable(readings: Sequence[Mapping[str, str | float]]) -> bool:
    """Return whether the host moved by more than 3 % between any reading and the first."""
    return largest_move(readings) > LIMIT
