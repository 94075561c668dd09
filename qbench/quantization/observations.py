"""What the calibration samples show of a network: statistics, means, second moments and samples of its tensors.

Each is computed when a stage first asks for it, in one pass through the float network, and kept. A network that a stage
has changed has observations of its own, `of(network)`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from qbench.core.several import Inputs, arrays_of
from qbench.core.tensor import Floats
from qbench.errors import QBenchError
from qbench.graph import Layer, Network
from qbench.methods.activation_stats import ActivationStats, stats_of
from qbench.methods.fitting.slices import Doubles
from qbench.quantization.windows import rows_of

Made = TypeVar("Made")
Costs = dict[Hashable, float]
"""Key of what was computed once -> the seconds that it took."""
Tap = Callable[[str, Floats], None]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelStats:
    """What was seen of each channel of a tensor, all float64 (c,).

    Args:
        minimum: the smallest x.
        maximum: the largest |x|.
        mean_abs: the mean of |x|.
        mean: the mean.
        mean_square: the mean of x^2.
    """

    minimum: Doubles
    maximum: Doubles
    mean_abs: Doubles
    mean: Doubles
    mean_square: Doubles


_BATCH = 64


class Phase(Protocol):
    """Counts time: that of phases, and that of what one row computes and others share."""

    def __call__(self, name: str) -> AbstractContextManager[None]:
        """Count the time within as a phase of that name."""
        ...

    def first(self, costs: Costs, key: Hashable) -> AbstractContextManager[None]:
        """Keep the time within in `costs`: it is computed for the first time."""
        ...

    def again(self, costs: Costs, key: Hashable) -> None:
        """Count what is taken from an earlier row, once a row."""
        ...


class Untimed:
    """Counts nothing."""

    def __call__(self, name: str) -> AbstractContextManager[None]:
        """Do not count the time of a phase."""
        return nullcontext()

    def first(self, costs: Costs, key: Hashable) -> AbstractContextManager[None]:
        """Do not count it."""
        return nullcontext()

    def again(self, costs: Costs, key: Hashable) -> None:
        """Do not count it."""


class Observations:
    """What a draw of calibration samples shows of one network.

    Args:
        network: in float32.
        samples: returns the drawn samples of every input, float32 (n, c, h, w) or token ids (n, tokens), say; called
            once, when needed.
        threads: of the float session.
        phase: counts the time of what is computed here, under `calibrate`.
    """

    def __init__(
        self, network: Network, samples: Callable[[], Inputs], *, threads: int, phase: Phase | None = None
    ) -> None:
        self.network, self.threads, self._phase = network, threads, phase or Untimed()
        self._draw = samples
        self._kept: dict[Hashable, object] = {}
        self._costs: Costs = {}

    def timed_by(self, phase: Phase) -> Observations:
        """Return the same observations with all that is kept, which count their time by `phase`."""
        view = Observations(self.network, self._draw, threads=self.threads, phase=phase)
        view._kept, view._costs = self._kept, self._costs
        return view

    def of(self, network: Network, *, chain: Hashable | None = None) -> Observations:
        """Return what the same samples show of another network.

        Args:
            network: what the stages so far made of this one.
            chain: a name of how it was made; observations of the same chain are made once, and share what they keep.
        """

        def made() -> Observations:
            return Observations(network, self.samples, threads=self.threads)

        found = made() if chain is None else self.once(("of", chain), made)
        return found.timed_by(self._phase)

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return `make()`, computed the first time that it is asked for under `key`."""
        if key in self._kept:
            self._phase.again(self._costs, key)
        else:
            with self._phase.first(self._costs, key):
                self._kept[key] = make()
        return self._kept[key]  # type: ignore[return-value]

    def samples(self) -> Inputs:
        """Return the calibration samples.

        Raises:
            DataError: the data has not so many.
        """
        return self.once("samples", self._draw)

    def timed(self, name: str) -> AbstractContextManager[None]:
        """Count the time of what is done within as a phase of that name."""
        return self._phase(name)

    def stats(self) -> Mapping[str, ActivationStats]:
        """Return the statistics of every tensor that enters a layer or is added; no activation is kept for them."""

        def make() -> dict[str, ActivationStats]:
            from qbench.engine import FloatSession  # with Numba, which recipes are read and checked without

            samples = self.samples()
            with self._phase("calibrate"), FloatSession(self.network, threads=self.threads) as session:
                return {name: stats_of(parts) for name, parts in session.observe(samples).items()}

        return self.once("stats", make)

    def means(self) -> Mapping[str, Doubles]:
        """Return the mean over the samples of every tensor that enters a layer, float64 (h, w, c)."""

        def make() -> dict[str, Doubles]:
            sums: dict[str, Doubles] = {}

            def tap(name: str, values: Floats) -> None:
                total = values.sum(axis=0, dtype=np.float64)
                sums[name] = sums[name] + total if name in sums else total

            self._tapped(tap)
            return {name: total / len(self.samples()) for name, total in sums.items()}

        return self.once("means", make)

    def channels(self) -> Mapping[str, ChannelStats]:
        """Return what was seen of each channel of every tensor that `stats` tells of; bounded as that is."""

        def make() -> dict[str, ChannelStats]:
            sums: dict[str, Doubles] = {}
            least: dict[str, Doubles] = {}
            most: dict[str, Doubles] = {}
            counts: defaultdict[str, int] = defaultdict(int)

            def tap(name: str, values: Floats) -> None:
                rows = values.reshape(-1, values.shape[-1])
                size = np.abs(rows)
                parts = (
                    size.sum(0, np.float64),
                    rows.sum(0, np.float64),
                    np.einsum("rc,rc->c", rows, rows, dtype=np.float64),
                )
                total, top = np.stack(parts), size.max(axis=0).astype(np.float64)
                sums[name] = sums[name] + total if name in sums else total
                low = rows.min(axis=0).astype(np.float64)
                least[name] = np.minimum(least[name], low) if name in least else low
                most[name] = np.maximum(most[name], top) if name in most else top
                counts[name] += len(rows)

            self._tapped(tap)
            return {
                name: ChannelStats(least[name], most[name], *(total / counts[name])) for name, total in sums.items()
            }

        return self.once("channels", make)

    def gram(self, layer: Layer, *, samples: int | None = None, most_rows: int = 1 << 20) -> Doubles:
        """Return the mean of x x^T over the windows x that a layer sees, float64 (groups, depth, depth).

        Args:
            layer: of this network; its depth is in the order of its codes.
            samples: the first so many are looked at; None for all.
            most_rows: windows that are looked at; of more, every n-th of each sample's is taken.

        Raises:
            QBenchError: the layer's input is not seen in calibration.
        """
        return self.once(("gram", layer.name, samples, most_rows), lambda: self._gram(layer, samples, most_rows))

    def windows(self, layer: Layer, *, samples: int | None = None, most_rows: int = 1 << 20) -> Iterator[Floats]:
        """Yield the windows that a layer sees, float32 (groups, rows, depth), some samples at a time; see `gram`."""
        count = len(self.samples()[:samples])
        for values in self._entering(layer, count):
            yield rows_of(layer, values, max(1, most_rows // count))

    def input_samples(self, layer: Layer, count: int) -> Floats:
        """Return what enters a layer for the first `count` samples, float32 NHWC; raise QBenchError as `gram`."""
        return np.concatenate([values.copy() for values in self._entering(layer, count)])

    def samples_of(self, tensor: str, count: int) -> Floats:
        """Return a tensor for the first `count` samples, float32 NHWC; raise QBenchError where it is not seen."""
        return np.concatenate([values.copy() for values in self._shown(tensor, count)])

    def _gram(self, layer: Layer, samples: int | None, most_rows: int) -> Doubles:
        total, seen = np.zeros(0), 0
        for rows in self.windows(layer, samples=samples, most_rows=most_rows):
            product = np.matmul(rows.transpose(0, 2, 1), rows).astype(np.float64)
            total = product if not seen else total + product
            seen += rows.shape[1]
        return total / seen

    def _entering(self, layer: Layer, count: int) -> Iterator[Floats]:
        """Yield what enters a layer for the first `count` samples, some at a time; nothing behind it is computed."""
        return self._shown(self.network.unflattened(layer.input), count)

    def _shown(self, tensor: str, count: int) -> Iterator[Floats]:
        """Yield a tensor for the first `count` samples, some at a time; nothing behind it is computed."""
        from qbench.engine import FloatSession  # with Numba, which recipes are read and checked without

        seen = False
        with self._phase("calibrate"), FloatSession(self.network, threads=self.threads) as session:
            for values in session.tensor(self.samples()[:count], tensor):
                seen = True
                yield values
        if not seen:
            raise QBenchError(f"tensor '{tensor}': it is not seen in calibration")

    def _tapped(self, tap: Tap) -> None:
        from qbench.engine import FloatSession  # with Numba, which recipes are read and checked without

        samples = self.samples()
        with self._phase("calibrate"), FloatSession(self.network, threads=self.threads) as session:
            for start in range(0, len(samples), _BATCH):
                session.run(*arrays_of(samples[start : start + _BATCH]), tap=tap)
