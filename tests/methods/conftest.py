"""Hypothesis for this folder: the same examples on every run, and no deadline, since machines differ."""

from hypothesis import settings

settings.register_profile("qbench", derandomize=True, deadline=None)
settings.load_profile("qbench")
