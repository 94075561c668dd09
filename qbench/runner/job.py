"""One row that is to be made, as a value: whoever makes it may be another process, or another host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qbench.core.cells.result import KernelResult, KernelTrial
from qbench.core.trial import Trial, TrialResult
from qbench.suite.axes import Measure

Phase = Literal["score", "time"]
AnyTrial = Trial | KernelTrial
AnyResult = TrialResult | KernelResult


@dataclass(frozen=True, slots=True)
class Job:
    """A trial, and all that whoever makes its row has to know beside the suite.

    Args:
        phase: `score` may run anywhere, beside others; `time` needs a host's one exclusive slot.
        trial: what is asked: the recipe of a network, or the cell of a kernel.
        cache_hash: hash of what the row depends on, kept in it.
        measure: what is measured of a network.
        reason: why the row is skipped, "" when it is not.
        estimate_s: rough seconds: for a plan and a progress bar, never for a result.
    """

    phase: Phase
    trial: AnyTrial
    cache_hash: str
    measure: tuple[Measure, ...] = ()
    reason: str = ""
    estimate_s: float = 0.0
