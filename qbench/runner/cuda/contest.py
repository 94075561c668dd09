"""One row on the device: operands, every party's ways checked and the fastest one kept, then all of them in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands, OutputKind
from qbench.core.cells.result import OWN, KernelResult, KernelTrial, PartyRow
from qbench.core.formats import Float32
from qbench.core.trial import Measurement
from qbench.errors import MachineError, QBenchError
from qbench.kernels.cuda.choose.candidates import candidates
from qbench.kernels.cuda.machines.driver import Device
from qbench.kernels.cuda.operation import Known
from qbench.peers.cuda import CUDA_OPERATORS
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.cuda.prepare import Described, Prepared, describe, lhs_bytes
from qbench.runner.kernels.bound import bound, moved_bytes
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Cell, Rules, interleave

Array = npt.NDArray[np.generic]
MOST_COPIES = 8
CACHES_APART = 2.5
"""Copies of a cell's buffers together take so many times the second-level cache."""

WAYS_TRIED, LARGE_WEIGHTS = 8, 100 * 2**20
"""Ways of ours that are timed: half as many where packing weights of so many bytes takes the host long."""

TRIES = 5
SAMPLED_ROWS = 384
SAMPLED_IMAGES = 2
_FLOATS, _HALF = 1e-4, 3e-2
"""Largest differences, as a share of the largest number: of float sums in another order, of half precision."""

_REASON_LENGTH = 300


class Way(Protocol):
    """A party's way to compute a cell."""

    kernel: str

    def run(self) -> None:
        """Compute every copy once."""

    def result(self) -> Array:
        """Return the first copy's answer."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The part of a cell that the law is computed for: rows of a product, images of a convolution."""

    picks: npt.NDArray[np.int64]
    expected: Array


@dataclass(slots=True)
class Ready:
    """A party with its fastest way, as a graph where the library can be captured."""

    row: PartyRow
    way: Way
    call: Callable[[], object]


class Contest:
    """Runs rows on a device."""

    def __init__(self, device: Device, clock: DeviceClock, rules: Rules, ceilings: dict[str, float]) -> None:
        self._device, self._clock, self._rules, self._ceilings = device, clock, rules, ceilings

    def run(self, trial: KernelTrial, *, cache_hash: str) -> KernelResult:
        """Return the row of `trial`; what goes wrong with a party stands in its place."""
        phases, cell = Phases(self._clock), trial.cell
        if not isinstance(cell, KernelCell):
            raise QBenchError(f"{trial.key}: memory operations are timed on the CPU only")
        rows: list[PartyRow] = []
        ready: list[Ready] = []
        with phases("prepare"):
            for name, spec in self._asked(trial):
                try:
                    ready.append(self._ready(name, replace(cell, spec=spec), trial.variant))
                    rows.append(ready[-1].row)
                except Exception as error:
                    if name.startswith(OWN) and not isinstance(error, QBenchError):
                        raise  # a bug of ours keeps its traceback; other libraries raise what they like
                    rows.append(PartyRow(name, " ".join(str(error).split())[:_REASON_LENGTH]))
        measurements: tuple[Measurement, ...] = ()
        if ready:
            with phases("time"):
                measurements = self._timed(trial, cell, ready)
        own = next(row for row in rows if row.name == OWN)
        limit = bound(cell, self._ceilings, {})
        return KernelResult(
            trial, cache_hash, "failed" if own.reason else "ok", own.reason, operations=cell.problem.operations,
            moved_bytes=moved_bytes(cell), bound=limit.name, bound_s=limit.seconds, parties=tuple(rows),
            measurements=measurements, phases_s=phases.seconds,
        )  # fmt: skip

    @staticmethod
    def _asked(trial: KernelTrial) -> list[tuple[str, str]]:
        own = [(f"{OWN} {spec}", spec) for spec in trial.own]
        return [(OWN, trial.cell.spec), *own, *((name, trial.cell.spec) for name in trial.peers)]

    def _timed(self, trial: KernelTrial, cell: KernelCell, ready: list[Ready]) -> tuple[Measurement, ...]:
        operations = cell.problem.operations
        copies = self._copies(cell)
        cells = [Cell(one.row.name, one.call, 1, operations, 1, copies) for one in ready]
        return interleave(trial.key, cells, self._rules, clock=self._clock, quiet=self._device.synchronize)

    def _copies(self, cell: KernelCell) -> int:
        """Return the copies of every party's buffers, the same for all: by the cell's least traffic."""
        wanted = CACHES_APART * self._device.attribute("l2_bytes") / moved_bytes(cell)
        return int(np.clip(ceil(wanted), 1, MOST_COPIES))

    def _ready(self, name: str, cell: KernelCell, variant: str) -> Ready:
        best: tuple[float, Ready] | None = None
        reasons: list[str] = []
        for way, row in self._ways(name, cell, variant):
            try:
                self._check(way, row, cell)
                call, note = self._captured(way)
                self._clock.elapsed_s(call, 1)
                seconds = min(self._clock.elapsed_s(call, 1) for _ in range(TRIES))
            except Exception as error:
                if name.startswith(OWN):  # a wrong or failing kernel of our own is a defect, not a way less
                    raise
                reasons.append(" ".join(str(error).split()))
                continue
            if best is None or seconds < best[0]:
                noted = replace(row, note="; ".join(filter(None, (row.note, note))))
                best = seconds, Ready(noted, way, call)
        if best is None:
            raise MachineError(f"{name}: {reasons[0] if reasons else 'no way to compute this'}")
        return best[1]

    def _ways(self, name: str, cell: KernelCell, variant: str) -> Iterator[tuple[Way, PartyRow]]:
        copies, operands = self._copies(cell), drawn(cell)
        if name.startswith(OWN):
            described = describe(cell, operands)
            yield from self._own(name, described, lhs_bytes(described, operands), variant, copies)
            return
        peer = CUDA_OPERATORS.part(name)
        lacking = peer.supports(cell) or peer.missing()
        if lacking is not None:
            raise MachineError(str(lacking))
        for way in peer.prepare(cell, operands, stream=self._device.stream, copies=copies):
            yield way, PartyRow(name, "", way.kernel, "once", "", way.note)

    def _own(
        self, name: str, described: Described, lhs: Any, variant: str, copies: int
    ) -> Iterator[tuple[Way, PartyRow]]:
        device = self._device
        found = candidates(described.job, device.capability, multiprocessors=device.attribute("multiprocessors"))
        asked = [choice for choice in found if variant in ("auto", choice.variant)]
        if not asked:
            raise MachineError(f"{variant}: no kernel computes {described.job.product} {described.job.epilogue} here")
        known: Known = {}
        for choice in asked[: WAYS_TRIED if self._is_small(described) else WAYS_TRIED // 2]:
            way = Prepared(device, described, lhs, choice, copies=copies, known=known)
            yield way, PartyRow(name, "", way.kernel, "once", choice.variant, resident_bytes=way.resident_bytes)

    @staticmethod
    def _is_small(described: Described) -> bool:
        geometry = described.job.geometry
        return geometry.columns * geometry.depth_bytes < LARGE_WEIGHTS

    @staticmethod
    def _check(way: Way, row: PartyRow, cell: KernelCell) -> None:
        """Raise MachineError when a way's answer is not the law's; peers stop at sums, or are not quantized."""
        way.run()
        exact, out = bool(getattr(way, "exact", True)), cell.out
        if not row.name.startswith(OWN):
            out = "s32" if exact else "f32"
        allowed = _HALF if not exact else 0.0 if out != "f32" else _FLOATS
        law = sampled(cell, out)
        error = deviation(np.asarray(way.result())[law.picks], law.expected)
        if error > allowed:
            raise MachineError(f"{way.kernel}: answers differ from the law by {error:.3g}, at most {allowed:g} allowed")

    def _captured(self, way: Way) -> tuple[Callable[[], object], str]:
        """Return the way as a graph, or as it is with a note where the library cannot be captured."""
        self._device.synchronize()
        try:
            return self._device.graph(way.run), ""
        except (QBenchError, RuntimeError):
            self._device.synchronize()
            return way.run, "launched call by call"


def deviation(found: Array, want: Array) -> float:
    """Return the largest difference, as a share of the law's largest number for floats."""
    if found.shape != want.shape:
        raise MachineError(f"an answer has shape {found.shape}, expected {want.shape}")
    left, right = np.asarray(found, np.float64), np.asarray(want, np.float64)
    largest = float(np.max(np.abs(left - right), initial=0.0))
    scale = float(np.max(np.abs(right), initial=0.0)) if np.asarray(want).dtype == np.float32 else 1.0
    return largest / max(scale, 1e-30)


@lru_cache(maxsize=2)
def drawn(cell: KernelCell) -> KernelOperands:
    """Return a cell's operands; activations that are not quantized are numbers of float16."""
    operands = draw_operands(cell)
    if not isinstance(cell.layer_spec.activations.format, Float32):
        return operands
    return replace(operands, lhs=operands.lhs.astype(np.float16).astype(np.float32))


@lru_cache(maxsize=4)
def sampled(cell: KernelCell, out: OutputKind) -> Sample:
    """Return some rows (the first, the last, and between) or images of a cell, and the law's answer as `out`."""
    problem, operands = cell.problem, drawn(cell)
    count = problem.images if isinstance(problem, ConvProblem) else problem.m
    most = SAMPLED_IMAGES if isinstance(problem, ConvProblem) else SAMPLED_ROWS
    picks = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
    part: ConvProblem | GemmProblem = (
        replace(problem, images=len(picks)) if isinstance(problem, ConvProblem) else replace(problem, m=len(picks))
    )
    asked = replace(cell, problem=part, out=out)
    return Sample(picks, expected_output(asked, replace(operands, lhs=operands.lhs[picks])))
