"""Graph, specs and quantized tensors become a plan of steps over preallocated buffers, and a session that runs it."""

from qbench.engine.session import FloatSession, Session, build_session

__all__ = ["FloatSession", "Session", "build_session"]
