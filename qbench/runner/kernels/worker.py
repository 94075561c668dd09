"""One party of a kernel comparison in a process of its own: qbench, or a peer.

Every library keeps its own OpenMP runtime and its own threads there. While another party has its turn this process
waits in a read, its threads asleep. A crash costs one row: the parent sees the connection end.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.cells.memory import MemoryCell
from qbench.core.cells.product import KernelOperands
from qbench.core.cells.result import CEILING, LIMITS, OWN, STREAMS, AnyCell
from qbench.core.formats import Float32
from qbench.errors import QBenchError
from qbench.kernels.compilations import compilations
from qbench.metrics.tensor import sqnr_db
from qbench.peers.operators import OPERATORS
from qbench.peers.operators.operator_peer import OperatorFacts
from qbench.runner.kernels.memory.operands import MemoryOperands
from qbench.runner.machine.quiet import quiet_cores, settle
from qbench.runner.timing.allocations import refuse_allocations
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.elements import EXACT, ROUNDED, far_element, place_of


@dataclass(frozen=True, slots=True)
class Task:
    """A cell with its operands, the kernel variant that qbench shall take, or the ceiling whose loop it shall run."""

    cell: AnyCell
    operands: KernelOperands | MemoryOperands
    expected: npt.NDArray[np.generic]
    variant: str = "auto"
    ceiling: str = ""


def serve(connection: Connection, name: str) -> None:
    """Answer requests until the other end closes: the names of `_Worker`'s methods, each with its argument."""
    warnings.simplefilter("ignore")  # other libraries' own, e.g. torch's on quantized tensors
    if name.partition(" ")[0] != OWN:
        _silence()
    worker = _Worker(name)
    while True:
        try:
            verb, content = connection.recv()
        except EOFError:
            worker.drop(None)
            return
        try:
            connection.send(("ok", getattr(worker, verb)(content)))
        except WrongError as error:
            connection.send(("wrong", str(error)))
        except QBenchError as error:
            connection.send(("refused", str(error)))
        except Exception as error:  # a library's own, on a shape that it does not like: its row says so
            first = (str(error).strip() or "no message").splitlines()[0]
            connection.send(("failed", f"{name}: {type(error).__name__}: {first}"))


def _silence() -> None:
    """Close the process' terminal: some libraries greet and warn on every start, from C."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


class WrongError(QBenchError):
    """An answer differs from the law."""


class _Worker:
    """What one process holds: at most one prepared operation, on pinned cores."""

    def __init__(self, name: str) -> None:
        self._name, self._clock, self._stack = name, Clock(), ExitStack()
        self._prepared: Any = None
        self._quiet: Callable[[], None] = settle

    def prepare(self, task: Task) -> dict[str, Any]:
        """Bring a task's operation up, check its answer, pin the threads, and return its facts."""
        self.drop(None)
        self._prepared, facts = _prepared(self._name, task)
        if self._name.partition(" ")[0] == OWN:
            self._stack.callback(self._prepared.close)
        self._quiet = self._stack.enter_context(quiet_cores(task.cell.threads))
        return asdict(facts)

    def time(self, loops: int) -> float:
        """Return the seconds of so many calls; 0 asks for one untimed call."""
        self._quiet()
        if not loops:
            self._prepared.run()
            return 0.0
        compiled = compilations()
        elapsed_s = self._clock.elapsed_s(self._prepared.run, loops)
        if compilations() != compiled:
            raise WrongError(f"{self._name}: {compilations() - compiled} kernels compiled while times were taken")
        settle()  # the next party must not share its cores with threads that spin
        return elapsed_s

    def drop(self, _content: None) -> None:
        """Forget the operation and let the threads go anywhere."""
        self._stack.close()
        self._prepared = None


def _prepared(name: str, task: Task) -> tuple[Any, OperatorFacts]:
    """Return a party's operation on the task's operands, once its answer has been found right."""
    if name.partition(" ")[0] == OWN:
        prepared: Any = _own(name, task)
        facts = OperatorFacts(prepared.kernel, turns=prepared.turns, resident_bytes=prepared.resident_bytes)
    else:
        assert not isinstance(task.cell, MemoryCell)
        assert isinstance(task.operands, KernelOperands)
        peer = OPERATORS.part(name)
        reason = peer.missing() or peer.supports(task.cell)
        if reason is not None:
            raise QBenchError(f"{name}: {reason}")
        prepared = peer.prepare(task.cell, task.operands)
        facts = prepared.facts
    prepared.run()
    if name in LIMITS:
        return prepared, facts
    check(name, prepared.result(), task.expected, facts)
    if name.partition(" ")[0] == OWN:
        far = far_element(prepared.result(), task.expected, EXACT if _in_codes(task.cell) else ROUNDED)
        if far:
            raise WrongError(f"{name}: wrong: {far}")
        try:
            refuse_allocations(name, prepared.run)
        except QBenchError as error:
            raise WrongError(str(error)) from error
    return prepared, facts


def _in_codes(cell: AnyCell) -> bool:
    """Whether sums are of whole numbers."""
    return isinstance(cell, MemoryCell) or not isinstance(cell.layer_spec.activations.format, Float32)


def _own(name: str, task: Task) -> Any:
    from qbench.runner.kernels.subject import prepare

    if isinstance(task.cell, MemoryCell):
        from qbench.runner.kernels.memory.subject import prepare_memory, prepare_stream

        if name in STREAMS:
            return prepare_stream(task.cell, name)
        assert isinstance(task.operands, MemoryOperands)
        return prepare_memory(task.cell, task.operands)
    if name == CEILING:
        from qbench.runner.kernels.ceiling import prepare_ceiling

        return prepare_ceiling(task.cell, task.ceiling)
    assert isinstance(task.operands, KernelOperands)
    return prepare(task.cell, task.operands, variant=task.variant)


def check(name: str, found: npt.NDArray[np.generic], expected: npt.NDArray[np.generic], facts: OperatorFacts) -> None:
    """Raise WrongError when an answer is further from the law than the party's facts allow."""
    if found.shape != expected.shape:
        raise WrongError(f"{name}: expected an output of shape {expected.shape}, got {found.shape}")
    if expected.dtype == np.float32:
        distance_db = sqnr_db(expected, found.astype(np.float32))
        if not distance_db >= facts.least_sqnr_db:
            raise WrongError(
                f"{name}: wrong: {distance_db:.0f} dB from the reference, expected at least {facts.least_sqnr_db:.0f}"
            )
        return
    steps = np.abs(found.astype(np.int64) - expected.astype(np.int64))
    if steps.max(initial=0) > facts.code_steps:
        raise WrongError(
            f"{name}: wrong: {np.count_nonzero(steps)} of {steps.size} numbers differ from the int64 reference, by up "
            f"to {steps.max()} at {place_of(steps)}"
        )
