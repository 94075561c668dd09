"""Graph, specs and quantized tensors become a plan of steps over preallocated buffers, and a session that runs it."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbench.engine.float_session import FloatSession
    from qbench.engine.session import Session, build_session

__all__ = ["FloatSession", "Session", "build_session"]

_PLACES = {"FloatSession": "float_session", "Session": "session", "build_session": "session"}
"""Name -> its module, imported when it is first used: a session of integers needs none of what calibration does."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qbench.engine' has no attribute '{name}'")
    return getattr(importlib.import_module(f"qbench.engine.{_PLACES[name]}"), name)
