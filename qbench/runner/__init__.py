"""The experiment: the only room with a clock. It runs trials, resumes runs, and knows the machine.

`plan_run` says what a suite will do, `run_suite` does it. Nothing is printed: an observer is told. What stands here is
imported on first use, so that `qbench.runner.machine.environment` alone costs no JIT.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbench.runner.experiment import run_suite
    from qbench.runner.observer import RunObserver, Silent
    from qbench.runner.plan import Plan, plan_run

_PLACES = {
    "run_suite": "experiment",
    "RunObserver": "observer",
    "Silent": "observer",
    "Plan": "plan",
    "plan_run": "plan",
}

__all__ = ["Plan", "RunObserver", "Silent", "plan_run", "run_suite"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'qbench.runner' has no attribute '{name}'")
    return getattr(importlib.import_module(f"qbench.runner.{_PLACES[name]}"), name)
