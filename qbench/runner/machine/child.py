"""A process that answers over a pipe: started when it is first needed, and again after it was lost."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self


class Child:
    """One process at a time.

    Args:
        serve: answers at the other end of the pipe until this end is closed; a function of a module, since the process
            starts with nothing of this one's.
        *arguments: what `serve` is given after its end of the pipe.
    """

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        self._serve, self._arguments = serve, arguments
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    @property
    def is_started(self) -> bool:
        """Whether there is a process, alive or not."""
        return self._process is not None

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.is_alive()

    @property
    def pid(self) -> int:
        """The process' number; there must be one."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def connection(self) -> Connection:
        """Return this end of the pipe, the process started."""
        if self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, other = context.Pipe()
            self._process = context.Process(target=self._serve, args=(other, *self._arguments), daemon=True)
            self._process.start()
            other.close()
        return self._connection

    def end(self) -> str:
        """End the process, by force after a second, and return how it ended: `signal 9`, `exit code 1`."""
        if self._process is None:
            return "not started"
        self._process.join(timeout=1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self.close()
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def close(self) -> None:
        """Close the pipe, so that the process ends by itself; by force when it does not within five seconds."""
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
