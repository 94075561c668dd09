"""The machine that a run stands on: what it is, what it can do, and how a run gets it for itself, and quiet."""
