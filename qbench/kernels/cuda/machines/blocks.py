"""The threads of a simulated block, which wait for each other without being polled.

Numba's simulator asks every thread in a loop whether it waits at a barrier, and spends most of its time on that: a
product in panels took 24 s of CPU, 5 s since threads count themselves.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


def block_manager(kernel: Any) -> Any:
    """Return what takes the place of the class `BlockManager` in a module `numba.cuda.simulator.kernel`."""

    class Thread(kernel.BlockThread):  # type: ignore[misc]
        """One thread of a block: says when it waits and when it has ended."""

        def syncthreads(self) -> None:
            """Wait for all threads of the block that have not ended."""
            self._manager.meet()

        def run(self) -> None:
            """Run the kernel, then count no longer."""
            super().run()
            self._manager.leave(self.exception)

    class Block(kernel.BlockManager):  # type: ignore[misc]
        """Runs one block."""

        def run(self, grid_point: Any, *arguments: Any) -> None:
            """Start all threads, wait until they have ended, and raise what the first that failed has raised."""
            self._change = threading.Condition()
            self._round = self._waiting = 0
            self._failure: Any = None
            points = list(np.ndindex(*self._block_dim))
            self._live = len(points)
            threads = [Thread(lambda: self._f(*arguments), self, grid_point, at, self._debug) for at in points]
            for thread in threads:
                thread.start()
            with self._change:
                self._change.wait_for(lambda: self._failure or not self._live)
            if self._failure:
                raise self._failure[0].with_traceback(self._failure[1])

        def meet(self) -> None:
            """Wait until every live thread is here; raise RuntimeError when one has failed."""
            with self._change:
                here = self._round
                self._waiting += 1
                self._go_on()
                self._change.wait_for(lambda: self._failure or self._round != here)
                if self._failure:
                    raise RuntimeError("another thread of the block failed")

        def leave(self, exception: Any) -> None:
            """Count a thread out that raised `exception` (with its traceback) or None; others may wait for it only."""
            with self._change:
                self._live -= 1
                if exception:
                    self._failure = self._failure or exception
                    self._change.notify_all()
                self._go_on()

        def _go_on(self) -> None:
            """Let all go on when all that live wait, or tell that none is left."""
            if self._waiting == self._live:
                self._round += 1
                self._waiting = 0
                self._change.notify_all()

    return Block
