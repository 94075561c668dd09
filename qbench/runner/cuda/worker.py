"""The process that holds the device: a kernel that breaks the device's context costs one row, not the run."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from qbench.core.cells.result import KernelResult, KernelTrial
from qbench.core.trial import TrialResult
from qbench.engine.device.session import Picker
from qbench.errors import QBenchError
from qbench.kernels.cuda.checks.verify import DeviceRow, verify
from qbench.kernels.cuda.machines.driver import Device
from qbench.runner.cuda import ceilings
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.cuda.contest import Contest
from qbench.runner.cuda.network import Place, run_device_trial
from qbench.runner.cuda.tuner import Tuner
from qbench.runner.kind import run_kind
from qbench.runner.machine.child import Child
from qbench.runner.networks.bench import Bench
from qbench.runner.timing.sampling import Rules
from qbench.suite import Planned, Suite

PATIENCE_S = {"check": 60.0, "trial": 900.0}
LONGEST_S = 180.0
"""What takes longer hangs: its process is ended."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to know for rows."""

    rules: Rules
    ceilings: dict[str, float]


class LostError(QBenchError):
    """The process ended, hung, or its device is broken; the next question starts another."""


class Worker(Child):
    """Asks a process that holds the device, started on the first question and again after a loss."""

    def __init__(self) -> None:
        super().__init__(serve)

    def ask(self, verb: str, content: object = None) -> Any:
        """Return the answer to `facts`, `ceilings`, `check`, `row` or `trial`: methods of `Holder`.

        Raises:
            LostError: see there.
            QBenchError: the question has no answer here.
        """
        connection = self.connection()
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


def serve(connection: Connection) -> None:
    """Answer questions until the other end is closed, or the device is broken."""
    with suppress(EOFError, OSError):
        try:
            device = Device()
        except QBenchError as error:
            connection.recv()
            connection.send(("refused", str(error)))
            return
        holder = Holder(device, DeviceClock(device))
        while True:
            verb, content = connection.recv()
            try:
                connection.send(("ok", holder.answer(verb, content)))
            except Exception as error:  # whatever it is, the run goes on; only the device's state decides how
                connection.send((_state(device), f"{type(error).__name__}: {error}"))


def _state(device: Device) -> str:
    try:
        device.synchronize()
    except QBenchError:
        return "broken"
    return "refused"


class Holder:
    """Answers questions with the device that it holds.

    Args:
        device: a GPU.
        clock: of its events.
        pick: says how a layer of a network is computed; by trying, where it is not given.
    """

    def __init__(self, device: Device, clock: DeviceClock, *, pick: Picker | None = None) -> None:
        self._device, self._clock = device, clock
        self._pick = pick or Tuner(device, clock)
        self._benches: dict[str, Bench] = {}

    def answer(self, verb: str, content: Any) -> Any:
        """Return the answer to a question (`Worker.ask`)."""
        return getattr(self, verb)(content)

    def facts(self, _content: None) -> dict[str, Any]:
        """Return what the device is."""
        numbers = {name: self._device.attribute(name) for name in ("multiprocessors", "clock_khz", "l2_bytes")}
        return {"device": self._device.name, "compute_capability": self._device.capability / 10, **numbers}

    def ceilings(self, quick: bool) -> dict[str, float]:
        """Return what the device can do at most."""
        return ceilings.measure(self._device, clock=self._clock, quick=quick)

    def check(self, number: int) -> DeviceRow:
        """Check one kernel on odd sizes and extreme values."""
        return verify(self._device, number)

    def row(self, content: tuple[Setup, KernelTrial, str]) -> KernelResult:
        """Return the row of a cell."""
        setup, trial, digest = content
        return Contest(self._device, self._clock, setup.rules, setup.ceilings).run(trial, cache_hash=digest)

    def trial(self, content: tuple[Suite, Rules, Planned, str]) -> TrialResult:
        """Return the row of a network; what rows of a suite share is kept here for the next one."""
        suite, rules, planned, digest = content
        if suite.sha256 not in self._benches:
            self._benches = {suite.sha256: run_kind(suite.kind).world(suite)}
        place = Place(self._device, self._clock, rules, self._pick)
        return run_device_trial(planned, self._benches[suite.sha256], place, cache_hash=digest)
