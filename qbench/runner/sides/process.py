"""A side's process as seen from the one that hands out turns: questions and answers, a line of JSON each."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qbench.runner.sides.side import Side, SideError

SCRIPT = Path(__file__).with_name("worker.py")
_PATIENCE_S = 900.0
"""A side that has not answered by then is ended: making all of a network's rows takes minutes, hanging takes longer."""


class RowError(SideError):
    """A side answered that it cannot do a row."""


class Process:
    """A fresh process of a side: use it in a `with`.

    Args:
        side: whose Python and sources it runs on.
        script: answers lines as `worker.py` does.
        **environment: variables beside those of the side.
    """

    def __init__(self, side: Side, script: Path = SCRIPT, **environment: str) -> None:
        self.side = side
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  # until `close`
        try:
            self._process = subprocess.Popen(
                [side.python, "-P", str(script)],
                env=side.environment | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
        except OSError as error:
            self._said.close()
            raise SideError(f"{side.name}: expected a Python that can be started, got {error.strerror}") from error

    def check(self) -> None:
        """Raise SideError where the package that answers to `hello` is not the side's own."""
        found, sources = Path(self.answer()["package"]), self.side.sources
        if sources is not None and found != sources / "qbench":
            raise SideError(f"{self.side.name}: expected qbench of {sources}, its process found {found}")

    def ask(self, verb: str, **content: Any) -> Any:
        """Return the answer to a question; raise RowError with the side's reason, SideError where its process ended."""
        self.send(verb, **content)
        return self.answer()

    def send(self, verb: str, **content: Any) -> None:
        """Ask without waiting for the answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"verb": verb, **content}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise SideError(self._ended()) from error

    def answer(self) -> Any:
        """Wait for the answer to what was sent."""
        assert self._process.stdout is not None
        watch = threading.Timer(_PATIENCE_S, self._process.kill)
        watch.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        if not line:
            raise SideError(self._ended())
        answer = json.loads(line)
        if "ok" not in answer:
            raise RowError(f"{self.side.name}: {answer['failed']}")
        return answer["ok"]

    def _ended(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"{self.side.name}: its process ended ({how})" + (f": {lines[-1].strip()}" if lines else "")

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:  # what was sent was never read: the process is gone
                continue
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
