"""The process that holds the device: a kernel that breaks the device's context costs one row, not the run."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Self

from qbench.errors import QBenchError
from qbench.kernels.cuda.checks.verify import verify
from qbench.kernels.cuda.machines.driver import Device
from qbench.runner.cuda import ceilings
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.cuda.contest import Contest
from qbench.runner.timing.sampling import Rules

PATIENCE_S = {"check": 60.0}
LONGEST_S = 180.0
"""What takes longer hangs: its process is ended."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to know for rows."""

    rules: Rules
    ceilings: dict[str, float]


class LostError(QBenchError):
    """The process ended, hung, or its device is broken; the next question starts another."""


class Worker:
    """Asks a process that holds the device, started on the first question and again after a loss."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def ask(self, verb: str, content: object = None) -> Any:
        """Return the answer to `facts`, `ceilings`, `check` or `row`.

        Raises:
            LostError: see there.
            QBenchError: the question has no answer here.
        """
        connection = self._started()
        try:
            connection.send((verb, content))
            longest_s = PATIENCE_S.get(verb, LONGEST_S)
            if not connection.poll(longest_s):
                raise LostError(f"no answer within {longest_s:.0f} s")
            word, answer = connection.recv()
        except (EOFError, OSError) as error:
            self.close()
            raise LostError("the process that holds the device ended") from error
        except LostError:
            self.close()
            raise
        if word == "broken":
            self.close()
            raise LostError(str(answer))
        if word == "refused":
            raise QBenchError(str(answer))
        return answer

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join(timeout=5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
        self._process = self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> Connection:
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, other = context.Pipe()
            self._process = context.Process(target=serve, args=(other,), daemon=True)
            self._process.start()
            other.close()
        return self._connection


def serve(connection: Connection) -> None:
    """Answer questions until the other end is closed, or the device is broken."""
    with suppress(EOFError, OSError):
        try:
            device = Device()
        except QBenchError as error:
            connection.recv()
            connection.send(("refused", str(error)))
            return
        clock = DeviceClock(device)
        while True:
            verb, content = connection.recv()
            try:
                connection.send(("ok", _answer(device, clock, verb, content)))
            except Exception as error:  # whatever it is, the run goes on; only the device's state decides how
                connection.send((_state(device), f"{type(error).__name__}: {error}"))


def _state(device: Device) -> str:
    try:
        device.synchronize()
    except QBenchError:
        return "broken"
    return "refused"


def _answer(device: Device, clock: DeviceClock, verb: str, content: Any) -> Any:
    if verb == "facts":
        numbers = {name: device.attribute(name) for name in ("multiprocessors", "clock_khz", "l2_bytes")}
        return {"device": device.name, "compute_capability": device.capability / 10, **numbers}
    if verb == "ceilings":
        return ceilings.measure(device, clock=clock, quick=bool(content))
    if verb == "check":
        return verify(device, content)
    assert verb == "row"
    setup, trial, digest = content
    return Contest(device, clock, setup.rules, setup.ceilings).run(trial, cache_hash=digest)
