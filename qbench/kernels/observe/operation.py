"""A tensor under observation, and a histogram that is held against many grids: what the compiled loops are bound to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.kernels.layout import Layout
from qbench.kernels.observe.reference import BINS, LANES, LEAST_EXPONENT, Doubles, Seen, running_sums
from qbench.kernels.program import run_task
from qbench.kernels.tasks import Task, task_of

SAMPLES, ZEROS_SEEN, EXPONENT, LARGEST_SEEN, LEAST_SEEN, WORDS = range(6)
"""Whole numbers of what is seen: samples, zeros, the bins' exponent, the largest and the smallest |x| as bits."""
NOT_FINITE = 0x7F800000
"""Bits of infinity; those of a NaN are larger."""


class Watch:
    """What is seen of one tensor, by one thread.

    Args:
        layout: of the tensor.
        most: samples that it has room for.
    """

    def __init__(self, layout: Layout, most: int) -> None:
        self._layout, self._words = layout, np.zeros(WORDS, np.int64)
        self._words[EXPONENT], self._words[LEAST_SEEN] = LEAST_EXPONENT, NOT_FINITE
        self._ends, self._factor = np.array([np.inf, -np.inf], np.float32), np.array([2.0**-LEAST_EXPONENT])
        self._sums, self._ring = np.zeros((most, 3)), np.zeros((2, BINS + LANES), np.int64)

    def task(self, buffer: npt.NDArray[Any]) -> Task:
        """Return the task that looks at the images of a pass in a buffer of the layout."""
        layout, facts = self._layout, np.zeros((5, LANES), np.int32)
        x: npt.NDArray[np.float32] = buffer.view(np.float32).reshape(layout.shape)
        place = (*layout.border[:2], layout.height, layout.width, layout.channels)
        state = (self._words, self._ends, self._factor, self._sums, self._ring)
        rooms = (facts, facts.view(np.float32), np.zeros((3, LANES)))
        arguments = (x, x.view(np.uint32), place, state, rooms)
        return task_of("qbench.kernels.observe.portable:observe_f32", arguments, units=1)

    def seen(self) -> Seen:
        """Return what is seen so far; nothing holds where a number was not finite."""
        layout, words = self._layout, self._words
        samples, zeros = int(words[SAMPLES]), int(words[ZEROS_SEEN])
        ring = self._ring[0, :BINS] + 0
        ring[0] += int(self._ring[0, BINS:].sum())
        low, high = (float(end) + 0.0 for end in self._ends)  # not -0.0
        smallest = float(words[LEAST_SEEN].astype(np.uint32).view(np.float32))
        return Seen(
            samples * layout.height * layout.width * layout.channels, zeros, low, high, smallest,
            bool(words[LARGEST_SEEN] < NOT_FINITE), self._sums[:samples].copy(), int(words[EXPONENT]), ring,
        )  # fmt: skip


class Histogram:
    """Numbers and how often each is, to be held against grids of equal steps.

    Args:
        values: float64 (m,), ascending, m at least 1.
        mass: float64 (m,).
    """

    def __init__(self, values: Doubles, mass: Doubles) -> None:
        self._values, self._sums = np.ascontiguousarray(values), running_sums(values, mass)
        origin, distance = float(values[0]), float(values[-1] - values[0]) / BINS or 1.0
        self._reach = np.array([origin, 1.0 / distance])
        self._starts = np.searchsorted(self._values, origin + distance * np.arange(BINS)).astype(np.int64)

    def errors(self, grids: Doubles, levels: int) -> Doubles:
        """Return the sum of squared errors on each grid, float64 (n,); see `reference.grid_errors_f64`.

        Args:
            grids: float64 (n, 2).
            levels: at most 256.
        """
        out, terms = np.empty(len(grids)), np.empty(levels)
        arguments = (np.ascontiguousarray(grids), self._values, self._sums, self._starts, self._reach, terms, out)
        run_task(task_of("qbench.kernels.observe.errors:grid_errors_f64", arguments, units=len(grids)))
        return out
