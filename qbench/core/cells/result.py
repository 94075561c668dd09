"""A cell of a kernel suite, and the one row that it leaves in `trials.jsonl`."""

from __future__ import annotations

from dataclasses import dataclass, field

from qbench.core.cells.memory import MemoryCell, MemoryProblem
from qbench.core.cells.product import ConvProblem, KernelCell
from qbench.core.trial import Measurement, Status

OWN = "qbench"
"""The party that every other is compared with."""
BANDWIDTH = "bandwidth"
"""Upper bound for memory operations: loops that only read and write the same number of bytes, in the same rounds."""
STREAMS = (f"{OWN} {BANDWIDTH}", f"{OWN} {BANDWIDTH} streaming")
"""These two parties, with plain stores and with stores past the caches; the faster one counts."""
CEILING = f"{OWN} ceiling"
"""Upper bound for products: a loop of as many operations (or bytes read), measured in the same rounds."""
LIMITS = (*STREAMS, CEILING)
"""Parties that compute nothing of a cell."""

AnyCell = KernelCell | MemoryCell


@dataclass(frozen=True, slots=True)
class KernelTrial:
    """One cell, who runs it, and where it stands in the suite.

    Args:
        sweep: name of the sweep.
        networks: tables of shapes that the problem belongs to; none for a shape that is written out.
        batch: what multiplied the shape.
        cell: problem, spec, output, threads; or a memory operation.
        variant: qbench's kernel variant, or `auto`.
        peers: other libraries that take turns with it.
        own: specs at which qbench itself takes turns with it, e.g. its own int8.
    """

    sweep: str
    networks: tuple[str, ...]
    batch: int
    cell: AnyCell
    variant: str = "auto"
    peers: tuple[str, ...] = ()
    own: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Unique and readable, e.g. `conv/conv 1x56x56x64 to 64 k3 s1/w8c-a8t/u8/t2`."""
        variant = "" if self.variant == "auto" else f"/{self.variant}"
        return f"{self.sweep}/{self.cell.key}{variant}"

    @property
    def kind(self) -> str:
        """`gemm`, `gemv` (one row), `conv`, `grouped`, `depthwise` or `memory`."""
        problem = self.cell.problem
        if isinstance(problem, MemoryProblem):
            return "memory"
        if isinstance(problem, ConvProblem):
            return "depthwise" if problem.is_depthwise else "conv" if problem.groups == 1 else "grouped"
        return "gemv" if problem.m == 1 else "gemm"


@dataclass(frozen=True, slots=True)
class PartyRow:
    """One party of a cell.

    Args:
        name: `qbench`, `qbench w8c-a8t`, or a peer.
        reason: why it was not timed, "" when it was.
        kernel: what ran.
        packed: whether weights are brought into the kernel's layout `once` or on `each call`.
        isa: the instructions that ran, e.g. `vpdpbusd zmm`, or a library's own word; "" where neither is known.
        note: what is different from qbench's own operation.
        resident_bytes: bytes of the packed weights, 0 where it is unknown.
    """

    name: str
    reason: str = ""
    kernel: str = ""
    packed: str = ""
    isa: str = ""
    note: str = ""
    resident_bytes: int = 0


@dataclass(frozen=True, slots=True)
class KernelResult:
    """One row.

    Args:
        trial: what was asked.
        cache_hash: hash of all the row depends on.
        status: `ok` when qbench was timed, `skipped` when it has no kernel for the cell, else `failed`.
        reason: why the row is not ok.
        operations: arithmetic operations per call, two per multiply-add.
        moved_bytes: least traffic: lhs, packed weights with their scales, and output, each once.
        bound: ceiling that binds the cell, by its name in the run's header.
        bound_s: least seconds that this ceiling allows.
        parties: who was asked.
        measurements: raw times; `group` is the trial's key, `cell` the party's name.
        machine: id of the machine that made the row, in the run's header; "" where there is but one.
    """

    trial: KernelTrial
    cache_hash: str
    status: Status
    reason: str = ""
    operations: int = 0
    moved_bytes: int = 0
    bound: str = ""
    bound_s: float = 0.0
    parties: tuple[PartyRow, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    phases_s: dict[str, float] = field(default_factory=dict)
    machine: str = ""

    def measured(self, party: str) -> Measurement | None:
        """Return the times of a party, or None."""
        return next((found for found in self.measurements if found.cell == party and found.samples_s), None)

    @property
    def stream(self) -> Measurement | None:
        """The times of the faster loop that only moves as many bytes, or None."""
        timed = [found for name in STREAMS if (found := self.measured(name))]
        return min(timed, key=lambda found: found.median_s, default=None)

    @property
    def best_peer(self) -> Measurement | None:
        """The other library with the least median time, or None when none was timed."""
        timed = [found for found in self.measurements if found.cell in self.trial.peers and found.samples_s]
        return min(timed, key=lambda found: found.median_s, default=None)
