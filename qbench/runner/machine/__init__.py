"""The machine that a run stands on: what it is, what it can do, and how it is had alone and quiet."""
