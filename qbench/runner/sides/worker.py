"""One side of a comparison. Run as a file by the side's own Python, so that it imports the qbench of that side.

The process that compares brings this file, since the other checkout may be older than it. It answers one line of JSON
for each line it reads: a verb of `Worker` with its arguments. Everything is imported when it is needed: what another
checkout does not have is an answer, not a crash.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

PARTS, LEAST_PART_S, LONG_S = 5, 0.001, 0.02
"""A sample is the median of so many stretches of calls of at least this length: an interruption costs one stretch.
A stretch that is long is a sample by itself."""
LEAST_SQNR_DB = 60.0
"""Floats of a kernel must be this near to its law."""
MOST_OFF = 1e-4
"""The most that a single one may be off, as a share of what they are on the average."""


class Ready(NamedTuple):
    """A row that can be called: its call, its last answer as bytes, its threads, and how often a call does the work."""

    call: Callable[[], object]
    answer: Callable[[], Any]
    threads: int
    turns: int = 1


Make = Callable[[bool], Ready]
"""Makes a row ready; checked against its reference where the argument is true."""


class Worker:
    """What the side's process holds: the rows of a suite, and those that are ready."""

    def __init__(self) -> None:
        self._makers: dict[str, Make] = {}
        self._ready: dict[str, Ready] = {}
        self._calls: dict[str, Callable[[], object]] = {}
        self._stack, self._threads = ExitStack(), 0
        self._quiet: Callable[[], None] = lambda: None

    def hello(self) -> dict[str, str]:
        """Say whose sources these are."""
        import qbench

        return {"package": str(Path(qbench.__file__).absolute().parent), "version": qbench.__version__}

    def rows(self, suite: str, overrides: list[str]) -> list[str]:
        """Return the names of the rows that a suite times."""
        from qbench.suite import load_suite

        self._makers = dict(_rows(load_suite(Path(suite), overrides=overrides)))
        return list(self._makers)

    def prepare(self, row: str, check: bool, slow: float | None) -> dict[str, Any]:
        """Make a row ready, slower by the share `slow` if that is a number; return calls a sample and answer."""
        ready = self._makers[row](check)
        self._calls[row], self._ready[row] = ready.call if slow is None else _slowed(ready.call, slow), ready
        self._calls[row]()
        digest = hashlib.sha256(ready.answer().tobytes()).hexdigest()[:16]
        self._settle_on(ready.threads)
        return {"loops": self._loops(self._calls[row]), "answer": digest}

    def time(self, row: str, loops: int) -> float:
        """Return the seconds of one piece of work: see `PARTS`."""
        from qbench.errors import QBenchError
        from qbench.kernels.compilations import compilations

        call, ready = self._calls[row], self._ready[row]
        self._settle_on(ready.threads)
        self._quiet()
        call()
        before = compilations()
        elapsed_s = [_elapsed_s(call, loops)]
        elapsed_s += [_elapsed_s(call, loops) for _ in range(PARTS - 1 if elapsed_s[0] < LONG_S else 0)]
        if compilations() != before:
            raise QBenchError("kernels compiled while times were taken")
        self._quiet()  # the other side must not share its cores with threads that spin
        return sorted(elapsed_s)[len(elapsed_s) // 2] / (loops * ready.turns)

    def _settle_on(self, threads: int) -> None:
        from qbench.runner.machine.quiet import quiet_cores

        if threads != self._threads:
            self._stack.close()
            self._quiet, self._threads = self._stack.enter_context(quiet_cores(threads)), threads

    def _loops(self, call: Callable[[], object]) -> int:
        self._quiet()
        loops = 1
        while (elapsed_s := _elapsed_s(call, loops)) < LEAST_PART_S:
            loops = max(loops + 1, min(10 * loops, int(loops * 1.2 * LEAST_PART_S / max(elapsed_s, 1e-9)) + 1))
        return loops


def _elapsed_s(call: Callable[[], object], loops: int) -> float:
    turns, start = range(loops), time.perf_counter_ns()
    for _ in turns:
        call()
    return (time.perf_counter_ns() - start) * 1e-9


def _slowed(call: Callable[[], object], share: float) -> Callable[[], object]:
    """Return a call that takes longer than `call` by a share of its time."""
    now = time.perf_counter_ns

    def slow() -> None:
        start = now()
        call()
        end = start + (now() - start) * (1.0 + share)
        while now() < end:
            pass

    return slow


def _rows(suite: Any) -> Iterator[tuple[str, Make]]:
    """Yield every row that is timed, by name."""
    from qbench.core.cells.result import KernelTrial
    from qbench.errors import MachineError
    from qbench.runner.plan import plan_run

    if suite.device != "cpu":
        raise MachineError(f"suite '{suite.name}': device: expected cpu, got '{suite.device}'")
    several = suite.each()
    for one in several:
        plan = plan_run(one, Path(os.devnull), fresh=True)
        prefix = f"{one.name}: " if len(several) > 1 else ""
        for job in plan.jobs:
            if job.phase != "time" or job.reason:
                continue
            if isinstance(job.trial, KernelTrial):
                yield prefix + job.trial.key, partial(_kernel, job.trial)
            elif job.trial.backend == "qbench" and "speed" in job.measure:
                session = cache(partial(_session, job.trial, plan.world))
                for batch in job.trial.batch_sizes:
                    yield f"{prefix}{job.trial.key}/b{batch}", partial(_network, session, plan.world, batch)


def _session(trial: Any, bench: Any, check: bool) -> Any:
    """Return a session of the network quantized as a trial says."""
    from qbench.engine import build_session
    from qbench.runner.networks.verify import verify
    from qbench.runner.timing.clock import Clock
    from qbench.runner.timing.phases import Phases

    made = bench.quantized(trial, Phases(Clock()))
    session = build_session(made, variant=trial.variant, threads=bench.threads)
    session.compile()
    if check and session.execution in ("integer", "mixed"):
        verify(session, made, inputs=bench.inputs)
    return session


def _network(made: Callable[[bool], Any], bench: Any, batch: int, check: bool) -> Ready:
    """Return a network's call on one batch."""
    from qbench.core.several import arrays_of
    from qbench.runner.timing.network import batch_of

    session, arrays = made(check), arrays_of(batch_of(bench.inputs, batch))

    def call() -> Any:
        return session.run(*arrays)

    return Ready(call, call, bench.threads)


def _kernel(trial: Any, check: bool) -> Ready:
    """Return a kernel's call on its operands."""
    from qbench.core.cells.memory import MemoryCell

    cell = trial.cell
    if isinstance(cell, MemoryCell):
        from qbench.runner.kernels.memory.operands import draw_memory, expected_memory
        from qbench.runner.kernels.memory.subject import prepare_memory

        moved = draw_memory(cell)
        subject, law = prepare_memory(cell, moved), partial(expected_memory, cell, moved)
    else:
        from qbench.runner.kernels.operands import draw_operands, expected_output
        from qbench.runner.kernels.subject import prepare

        operands = draw_operands(cell)
        subject, law = prepare(cell, operands, variant=trial.variant), partial(expected_output, cell, operands)
    if check:
        subject.run()
        _check(subject.result(), law())
    return Ready(subject.run, subject.result, cell.threads, getattr(subject, "turns", 1))


def _check(found: Any, expected: Any) -> None:
    """Raise QBenchError where an answer is not the law's: what is wrong is not timed."""
    from qbench.errors import QBenchError
    from qbench.metrics.tensor import sqnr_db

    if expected.dtype.kind == "f":
        distance_db = sqnr_db(expected, found.astype("float32"))
        if not distance_db >= LEAST_SQNR_DB:
            raise QBenchError(f"wrong: {distance_db:.0f} dB from the reference")
        off = abs(found - expected).max() / (expected.std() + abs(expected.mean()))
        if not off <= MOST_OFF:  # one number of a million does not show in the mean
            raise QBenchError(f"wrong: a number is {off:.2g} of the reference's spread from it")
    elif (found != expected).any():
        raise QBenchError(f"wrong: {int((found != expected).sum())} of {found.size} numbers differ from the reference")


def serve(worker: Any) -> None:
    """Answer lines, each a verb of `worker` with arguments, until there are no more.

    Whatever libraries print goes to the error stream.
    """
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer: dict[str, Any] = {"ok": getattr(worker, asked.pop("verb"))(**asked)}
        except Exception as error:  # whatever it is, of whatever checkout: the other end says it in a line
            first = (str(error).strip() or "no message").splitlines()[0]
            answer = {
                "failed": first if type(error).__module__ == "qbench.errors" else f"{type(error).__name__}: {first}"
            }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(Worker())
