"""Quiet before a turn: no thread of this process may take a core from the cell that is timed next.

onnxruntime's threads spin for about 35 ms after a call (measured; its default). That is left as it is, since its users
get it and it is fastest so, but another cell that starts at once shares its cores with them: measured, twice the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from qbench.runner.machine.affinity import other_threads, pinned

_STEP_S = 0.5e-3
_BLIND_S = 0.05


def busy_threads() -> int:
    """Return how many other threads of this process run or want to run now.

    Read from their state: the process' CPU time tells of threads on other cores only once a tick of the scheduler, up
    to 10 ms late.
    """
    busy = 0
    for thread in other_threads():
        try:
            facts = Path(f"/proc/self/task/{thread}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:  # a thread that has just ended
            continue
        busy += facts[facts.rindex(")") + 2] == "R"
    return busy


def settle(
    busy: Callable[[], int] = busy_threads, sleep: Callable[[float], None] = time.sleep, *, patience_s: float = 0.5
) -> None:
    """Wait until the other threads of this process sleep, at most `patience_s`.

    Where the system does not show threads (macOS) this waits 50 ms, longer than any pool known to us spins.
    """
    if not other_threads_visible():
        sleep(_BLIND_S)
        return
    for _ in range(round(patience_s / _STEP_S)):
        if not busy():
            return
        sleep(_STEP_S)


def other_threads_visible() -> bool:
    """Return whether the system shows the state of threads."""
    return Path("/proc/self/task").is_dir()


@contextmanager
def quiet_cores(threads: int) -> Iterator[Callable[[], None]]:
    """Pin this process to `threads` cores; yield what is to be called before each turn."""
    with pinned(threads) as pins:

        def quiet() -> None:
            pins.renew()
            settle()

        yield quiet
