"""What a suite of networks may say about its clock: `timing:`, and what its measures need of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Protocol

from pydantic import Field

from qbench.suite.axes import DeviceName, ListOf, Measure, Reference
from qbench.suite.base import Strict

ON_DEVICES: frozenset[Measure] = frozenset({"accuracy", "speed", "energy"})
"""Measures that there are on a GPU, too."""
LATER_OF_TIMING = ("processes", "seconds", "queries", "query_seconds", "bound_s")
"""Keys of `timing` that there were not always (`AnySuite.LATER`)."""
Positive = Annotated[float, Field(gt=0)]


class Timing(Strict):
    """How trials with measures other than `accuracy` are timed."""

    batch_sizes: ListOf[Annotated[int, Field(ge=1)]] = (1, 256)
    """Images per call."""
    precision: Annotated[float, Field(gt=0, le=0.5)] = 0.02
    """Stop when the relative half width of the median's 95 % interval is below this."""
    seconds_a_cell: Positive = 1.5
    """Stop at the latest after this many seconds per timed cell."""
    winners: Annotated[int, Field(ge=0)] = 0
    """Time so many more rows when all are scored: those that no smaller one beats, and that no sweep timed."""
    references: tuple[Reference, ...] = ()
    """Other libraries that run the network in turns with qbench, e.g. `onnxruntime-fp32`."""
    processes: Annotated[int, Field(ge=2)] | None = None
    """Time over so many fresh processes of every party, at least; intervals are then those of processes."""
    seconds: Positive | None = None
    """Begin no more processes that would end after so many seconds; 120 where it is left out."""
    queries: Annotated[int, Field(ge=1)] | None = None
    """Queries of a latency, and of a rate that a server is tried at; 662 bound a p99 with 99 % confidence."""
    query_seconds: Positive | None = None
    """End a latency, or a rate, after so many seconds although queries are left; 15 where it is left out."""
    bound_s: Positive | None = None
    """Scenario `server`: the latency that 99 % of its queries have to stay under."""


class Measured(Protocol):
    """A sweep."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def measure(self) -> tuple[Measure, ...]:
        """What is measured."""
        ...


def check_measures(sweeps: Iterable[Measured], timing: Timing, device: DeviceName) -> None:
    """Raise ValueError for a measure that the device does not have, or that needs what `timing` does not say."""
    if timing.processes and device != "cpu":
        raise ValueError(f"'timing.processes' goes with the device 'cpu', got it with '{device}'")
    for sweep in sweeps:
        strange = [measure for measure in sweep.measure if device != "cpu" and measure not in ON_DEVICES]
        if "layers" in strange:
            raise ValueError(f"sweep '{sweep.name}': layers are not timed alone on the device '{device}'")
        if strange:
            raise ValueError(f"sweep '{sweep.name}': measure '{strange[0]}' goes with the device 'cpu'")
        if "scenario" in sweep.measure and timing.bound_s is None:
            raise ValueError(
                f"sweep '{sweep.name}': measure 'scenario' expects 'timing: {{bound_s: SECONDS}}', the latency that "
                "99 % of a server's queries have to stay under"
            )
