"""The parties of a kernel comparison as seen from the process that compares them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qbench.errors import QBenchError
from qbench.runner.kernels.isa import instructions
from qbench.runner.kernels.worker import Task, serve
from qbench.runner.machine.child import Child
from qbench.runner.timing.clock import PartyClock
from qbench.runner.timing.sampling import inner_loops

_LOOK_S = 0.03
"""How long a party is kept busy while it is looked at which instructions it runs."""

_PATIENCE_S = 120.0
"""A party that has not answered by then is ended: some libraries hang on some shapes."""


class BrokenError(QBenchError):
    """A party answered wrongly, or its process ended."""


class Party(Child):
    """qbench or a peer, in a process that is started on the first task and again after a crash."""

    def __init__(self, name: str) -> None:
        super().__init__(serve, name)
        self.name = name

    def prepare(self, task: Task) -> dict[str, Any]:
        """Make the party ready for a task and return its facts; raise QBenchError with the reason when it is not."""
        facts: dict[str, Any] = self._ask("prepare", task)
        facts["isa"] = self._instructions() or facts["isa"]
        return facts

    def _instructions(self) -> str:
        """Return the instructions that the party's operation runs on, "" where they cannot be seen."""
        loops = inner_loops(self, PartyClock(), sample_s=_LOOK_S)
        connection = self.connection()
        found = instructions(self.pid, lambda: connection.send(("time", loops)))
        self._answer()
        return found

    def drop(self) -> None:
        """Let the party forget its task."""
        if self.is_started:
            with suppress(BrokenError):
                self._ask("drop", None)

    def elapsed_s(self, loops: int) -> float:
        """Return the seconds of so many calls; 0 asks for one untimed call.

        A party that cannot answer is ended, so that whoever sees its error knows whose it was; it starts anew.
        """
        try:
            return float(self._ask("time", loops))
        except QBenchError:
            self.close()
            raise

    def __call__(self) -> None:
        """Do one untimed call."""
        self.elapsed_s(0)

    def _ask(self, verb: str, content: object) -> Any:
        connection = self.connection()
        try:
            connection.send((verb, content))
        except OSError as error:
            raise BrokenError(f"{self.name}: its process ended ({self.end()})") from error
        return self._answer()

    def _answer(self) -> Any:
        connection = self.connection()
        try:
            if not connection.poll(_PATIENCE_S):
                self.end()
                raise BrokenError(f"{self.name}: no answer within {_PATIENCE_S:.0f} s; its process was ended")
            word, answer = connection.recv()
        except (EOFError, OSError) as error:
            raise BrokenError(f"{self.name}: its process ended ({self.end()})") from error
        if word != "ok":
            raise QBenchError(str(answer)) if word == "refused" else BrokenError(str(answer))
        return answer
