"""One row of a kernel suite: operands, every party's answer checked, all of them timed in turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from qbench.core.cells.algorithm import split_algorithm
from qbench.core.cells.memory import MemoryCell
from qbench.core.cells.product import KernelCell
from qbench.core.cells.result import (
    BANDWIDTH,
    CEILING,
    LIMITS,
    OWN,
    STREAMS,
    AnyCell,
    KernelResult,
    KernelTrial,
    PartyRow,
)
from qbench.core.trial import Measurement, Status
from qbench.errors import QBenchError
from qbench.peers.operators import OPERATORS
from qbench.runner.kernels.bound import Bound, bound, moved_bytes
from qbench.runner.kernels.memory.operands import MemoryOperands, draw_memory, expected_memory
from qbench.runner.kernels.operands import draw_operands, expected_output
from qbench.runner.kernels.party import BrokenError, Party
from qbench.runner.kernels.worker import Task
from qbench.runner.machine.quiet import settle
from qbench.runner.timing.clock import PartyClock
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.replicates import over_processes, share_of
from qbench.runner.timing.sampling import Cell, Rules, interleave

NOTHING = np.empty(0, np.uint8)
"""What is expected of a loop that only moves bytes."""


@dataclass(slots=True)
class Parties:
    """The processes of a run, each started when it is first asked."""

    started: dict[str, Party] = field(default_factory=dict)

    def of(self, name: str) -> Party:
        """Return the party `name`."""
        return self.started.setdefault(name, Party(name))

    def close(self) -> None:
        """End all processes."""
        for party in self.started.values():
            party.close()


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine can do: measured ceilings, and bytes of a core's caches."""

    ceilings: Mapping[str, float]
    caches: Mapping[str, int]


def run_kernel(
    trial: KernelTrial, parties: Parties, machine: Machine, *, cache_hash: str, rules: Rules, clock: PartyClock
) -> KernelResult:
    """Return the row of `trial`; what goes wrong with a party stands in its place."""
    cell = trial.cell
    limit = bound(cell, machine.ceilings, machine.caches) if isinstance(cell, KernelCell) else Bound(BANDWIDTH, 0.0)
    phases, tables = Phases(clock), list[_Table]()

    def once() -> tuple[Measurement, ...]:
        if tables:
            parties.close()
        tables.append(_Table(trial, limit.name))
        with phases("prepare"):
            for name, spec in _asked(trial, limit):
                tables[-1].seat(name, spec, parties)
        with phases("time"):
            found = tables[-1].timed(share_of(rules), clock)
        tables[-1].drop()
        return found

    measurements, table = over_processes(once, OWN, rules, clock=clock), tables[-1]
    own = table.rows[OWN]
    status: Status = "ok" if not own.reason else "failed" if OWN in table.broken else "skipped"
    result = KernelResult(
        trial,
        cache_hash,
        status,
        own.reason,
        operations=cell.problem.operations,
        moved_bytes=moved_bytes(cell),
        parties=tuple(table.rows.values()),
        measurements=measurements,
        phases_s=phases.seconds,
    )
    loop = result.stream or result.measured(CEILING)
    seconds = limit.times * loop.median_s if loop else limit.seconds
    return replace(result, bound=limit.name if seconds else "", bound_s=seconds)


def _task(cell: AnyCell, variant: str) -> Task:
    """Return what a party is handed."""
    if isinstance(cell, MemoryCell):
        moved = draw_memory(cell)
        return Task(cell, moved, expected_memory(cell, moved), variant)
    operands = draw_operands(cell)
    return Task(cell, operands, expected_output(cell, operands), variant)


class _Table:
    """The parties of one row: who is ready, who is not and why, and who broke."""

    def __init__(self, trial: KernelTrial, ceiling: str) -> None:
        self._trial, self._ceiling = trial, ceiling
        self._tasks: dict[str, Task] = {}
        self._ready: dict[str, Party] = {}
        self._turns: dict[str, int] = {}
        self.rows: dict[str, PartyRow] = {}
        self.broken: set[str] = set()

    def seat(self, name: str, spec: str, parties: Parties) -> None:
        """Bring a party up, or note why it cannot take part; operands are drawn once a spec."""
        trial, cell = self._trial, self._trial.cell
        token, algorithm = split_algorithm(spec)
        variant = trial.variant if algorithm == "auto" else f"{split_algorithm(trial.variant)[0]}+{algorithm}"
        if isinstance(cell, KernelCell):
            cell = replace(cell, spec=token)
        is_peer = name in trial.peers and isinstance(cell, KernelCell)
        lacking = OPERATORS.part(name).supports(cell) if is_peer else None
        try:
            if lacking is not None:
                raise QBenchError(str(lacking))
            if name in LIMITS:
                task = Task(cell, MemoryOperands(()), NOTHING, ceiling=self._ceiling)
            else:
                if spec not in self._tasks:
                    self._tasks[spec] = _task(cell, variant)
                task = self._tasks[spec]
            facts = parties.of(name).prepare(task)
        except QBenchError as error:
            self._refuse(name, error)
            return
        self.rows[name] = PartyRow(
            name, "", *(facts[key] for key in ("kernel", "packed", "isa", "note", "resident_bytes"))
        )
        self._ready[name], self._turns[name] = parties.of(name), facts["turns"]

    def timed(self, rules: Rules, clock: PartyClock) -> tuple[Measurement, ...]:
        """Return the times of all that are ready; a party whose process ends is noted, and the others start anew."""
        trial, cell = self._trial, self._trial.cell
        while self._ready:
            cells = [
                Cell(name, party, 1, cell.problem.operations, cell.threads, self._turns[name])
                for name, party in self._ready.items()
            ]
            try:
                return interleave(trial.key, cells, rules, clock=clock, quiet=settle)
            except QBenchError as error:
                gone = [name for name, party in self._ready.items() if not party.is_alive] or list(self._ready)
                for name in gone:
                    self._refuse(name, error)
                    del self._ready[name]
        return ()

    def drop(self) -> None:
        """Let all parties forget their tasks."""
        for party in self._ready.values():
            party.drop()

    def _refuse(self, name: str, error: QBenchError) -> None:
        self.rows[name] = PartyRow(name, str(error))
        if isinstance(error, BrokenError):
            self.broken.add(name)


def _asked(trial: KernelTrial, limit: Bound) -> list[tuple[str, str]]:
    """Return name and spec of every party."""
    limits = STREAMS if limit.name == BANDWIDTH else (CEILING,) if limit.name else ()
    own = [(f"{OWN} {spec}", spec) for spec in trial.own]
    return [(OWN, trial.cell.spec), *own, *((name, trial.cell.spec) for name in (*trial.peers, *limits))]
