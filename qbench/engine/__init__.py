"""Graph, specs and quantized tensors become a plan of steps over preallocated buffers, and a session that runs it."""

from qbench.engine.float_session import FloatSession
from qbench.engine.session import Session, build_session

__all__ = ["FloatSession", "Session", "build_session"]
