"""What a way to compute convolutions is, and what it makes: see `conv.ways` for those that there are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.tasks import Task
from qbench.kernels.tiles.operands import PackedWeights

Bytes = npt.NDArray[np.uint8]


class Bound(Protocol):
    """A job joined to its weights."""

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        ...

    @property
    def epilogue(self) -> Epilogue:
        """The epilogue, with the words that binding found."""
        ...

    @property
    def packed(self) -> PackedWeights | None:
        """The weights in panels, which another way may read too; None where they are laid out otherwise."""
        ...

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights and parameters in memory."""
        ...

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs."""
        ...

    def task(self, lhs: Bytes, out: Bytes, residual: Bytes | None = None, *, scratch: Bytes | None = None) -> Task:
        """Return the task that reads and writes these buffers."""
        ...


class Way(Protocol):
    """A way to compute jobs, on the variants that it knows."""

    @property
    def algorithm(self) -> Algorithm:
        """The word that pins it."""
        ...

    @property
    def worth(self) -> float:
        """How many times cheaper than the way behind it this must be to be taken."""
        ...

    def can_run(self, job: Job, weights: Weights) -> str | None:
        """Return why this cannot compute a job exactly, or None."""
        ...

    def cost(self, job: Job) -> float:
        """Return estimated cycles of a dot instruction for all images of a job that `can_run` admits."""
        ...

    def bind(self, job: Job, weights: Weights, *, beside: Bound | None = None) -> Bound:
        """Join weights to a job; packed weights of what computes fewer images of it, `beside`, are shared if alike."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ByImages:
    """A job computed in one way where `least` images or more come, in another where fewer do."""

    few: Bound
    many: Bound
    least: int

    @property
    def name(self) -> str:
        """The operation and its variant, as tables show them."""
        return f"{self.many.name} from {self.least} images"

    @property
    def epilogue(self) -> Epilogue:
        """The epilogue, with the words that binding found."""
        return self.many.epilogue

    @property
    def packed(self) -> PackedWeights | None:
        """The weights of many images."""
        return self.many.packed

    @property
    def resident_bytes(self) -> int:
        """Bytes of weights, counted once where they are shared, and parameters."""
        packed = self.many.packed
        shared = packed.data.size if packed is not None and packed is self.few.packed else 0
        return self.few.resident_bytes + self.many.resident_bytes - shared

    @property
    def scratch_bytes(self) -> int:
        """Bytes that each thread needs while it runs."""
        return max(self.few.scratch_bytes, self.many.scratch_bytes)

    def task(self, lhs: Bytes, out: Bytes, residual: Bytes | None = None, *, scratch: Bytes | None = None) -> Task:
        """Return the task that reads and writes these buffers."""
        many, few = (bound.task(lhs, out, residual, scratch=scratch) for bound in (self.many, self.few))
        return replace(many, few=few, least=self.least)
