"""No call is timed that allocates more than its answer: what new memory costs changes from one call to the next."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

from qbench.errors import QBenchError

_NUMPY = f"{os.sep}numpy{os.sep}"
SLACK_BYTES = 65536
"""What Python's own objects and views of a call may take."""


def refuse_allocations(name: str, call: Callable[[], object], *, answer_bytes: int = 0) -> None:
    """Call twice and raise QBenchError, with the line of source, where the second call allocates more than its answer.

    What Python and NumPy allocate is seen; what compiled libraries take from the system themselves is not.

    Args:
        name: of whose call it is.
        call: is about to be timed.
        answer_bytes: of all arrays that a call returns or makes beside what it returns.
    """
    limit = answer_bytes + SLACK_BYTES
    call()
    tracemalloc.start()
    try:
        taken = _taken(call)
        if taken > limit:
            expected = f"expected at most its answer's {answer_bytes:,}; not timed"
            raise QBenchError(f"{name}: a call allocates {taken:,} bytes, {_place(call)}; {expected}")
    finally:
        tracemalloc.stop()


def _taken(call: Callable[[], object]) -> int:
    """Return the most bytes that a call holds beyond what was there before."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    call()
    return tracemalloc.get_traced_memory()[1] - before


def _place(call: Callable[[], object]) -> str:
    """Return where a call takes most, e.g. `most at session.py:151`; traced line by line, which is slow."""
    grown: dict[str, int] = {}
    last, held = "", tracemalloc.get_traced_memory()[0]

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal last, held
        if _NUMPY in frame.f_code.co_filename:  # the line that called it is meant
            return None
        now, peak = tracemalloc.get_traced_memory()
        grown[last] = max(grown.get(last, 0), peak - held)
        last, held = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}", now
        tracemalloc.reset_peak()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]  # as its own documentation has it, it returns itself
    try:
        call()
    finally:
        sys.settrace(before)
    grown.pop("", None)
    return f"most at {max(grown, key=lambda place: grown[place])}" if grown else "in code that cannot be traced"
