"""What a result depends on, as a hash: an earlier run's row is taken only when nothing it depends on has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import qbench
from qbench.core.cells.result import KernelTrial
from qbench.core.trial import Trial
from qbench.methods import METHODS
from qbench.methods.correction import VERSION
from qbench.runner.machine.environment import OPERATOR_LIBRARIES, PEER_LIBRARIES, versions
from qbench.suite import KernelSuite, Planned, Suite

_ROOMS = ("core", "kernels", "graph", "engine", "methods", "metrics", "peers", "runner", "zoo")


@cache
def sources_hash() -> str:
    """Return the hash of all source files that can change a number in a row (no suite, report or command line)."""
    root = Path(qbench.__file__).parent
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def trial_hash(
    planned: Planned, suite: Suite, *, model_sha256: str, data_sha256: str, machine: str, quick: bool
) -> str:
    """Return the hash of everything that the row of `planned` depends on, 16 hexadecimal digits.

    A timed row depends on the machine, on its threads and on how it is timed too.
    """
    trial = planned.trial
    facts: dict[str, Any] = {
        "trial": [trial.layers, trial.spec, trial.edges, trial.method, trial.variant, trial.backend],
        "changes": [trial.overrides, trial.correction, VERSION if trial.correction else 0],
        "method_version": method_version(trial),
        "calibration": [trial.calibration, trial.seed],
        "model": model_sha256,
        "data": [data_sha256, suite.data_limit],
        "task": suite.task_name,
        "measure": sorted(planned.measure),
        "reason": planned.reason,
        "sources": sources_hash(),
        "libraries": {name: version(name) for name in ("numpy", "numba", "onnxruntime")},
    }
    if trial.batch_sizes or trial.backend != "qbench":
        facts["peers"] = {name: found for name, found in versions().items() if name in PEER_LIBRARIES}
    if trial.batch_sizes:
        facts["timing"] = [trial.batch_sizes, suite.timing.model_dump(mode="json"), suite.threads, quick, machine]
    return digest(facts)


def kernel_hash(trial: KernelTrial, suite: KernelSuite, *, machine: str, quick: bool) -> str:
    """Return the hash of everything that a row of kernels depends on, 16 hexadecimal digits."""
    libraries = OPERATOR_LIBRARIES[suite.device]
    facts = {
        "trial": asdict(trial),
        "timing": suite.timing.model_dump(mode="json"),
        "quick": quick,
        "machine": machine,
        "sources": sources_hash(),
        "libraries": {name: found for name, found in versions().items() if name in libraries},
    }
    return digest(facts)


def digest(facts: Mapping[str, Any]) -> str:
    """Return the hash of facts, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def method_version(trial: Trial) -> int:
    """Return the version of the trial's method, 0 for `none`."""
    return 0 if trial.method == "none" else int(METHODS.load(trial.method).version)
