"""What a result depends on, as a hash: an earlier run's row is taken only when nothing it depends on has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import CodeType
from typing import Any

import qbench
from qbench.core.cells.result import KernelTrial
from qbench.quantization import parse_recipe
from qbench.runner.machine.environment import OPERATOR_LIBRARIES, PEER_LIBRARIES, versions
from qbench.suite import KernelSuite, Planned, Suite

_ROOMS = ("core", "kernels", "graph", "engine", "methods", "metrics", "quantization", "peers", "runner", "zoo")


@cache
def sources_hash() -> str:
    """Return the hash of all sources that can change a number in a row (no suite, report or command line)."""
    return hash_of(Path(qbench.__file__).parent)


def hash_of(root: Path) -> str:
    """Return the hash of what the source files of `root`'s rooms do: of their names and of the code in them.

    Comments, docstrings and the way that lines are broken make no difference: prose computes nothing, and an edited
    sentence costs no run.
    """
    found = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            found.update(str(path.relative_to(root)).encode())
            found.update(_code_of(path.read_bytes()))
    return found.hexdigest()


def _code_of(source: bytes) -> bytes:
    """Return what a file does, as compiled without docstrings (and without asserts, which compute nothing)."""
    return b"\0".join(_parts(compile(source, "", "exec", dont_inherit=True, optimize=2)))


def _parts(code: CodeType) -> Iterator[bytes]:
    """Yield the instructions, names and constants of a code object and of those in it; no file name and no line."""
    yield code.co_code
    yield code.co_exceptiontable
    yield repr((code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)).encode()
    yield repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _parts(constant)
        else:  # the order in which a set prints changes from process to process
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant).encode()


def trial_hash(
    planned: Planned, suite: Suite, *, model_sha256: str, data_sha256: str, machine: str, quick: bool
) -> str:
    """Return the hash of everything that the row of `planned` depends on, 16 hexadecimal digits.

    A timed row depends on the machine, on its threads and on how it is timed too.
    """
    trial = planned.trial
    facts: dict[str, Any] = {
        "trial": [trial.layers, trial.spec, trial.edges, trial.overrides, trial.recipe, trial.variant, trial.backend],
        "stages": parse_recipe(trial.recipe).versions,
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
    if suite.device != "cpu":
        libraries = OPERATOR_LIBRARIES[suite.device]
        facts["device"] = [machine, {name: found for name, found in versions().items() if name in libraries}]
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
