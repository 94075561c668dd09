"""What a result depends on, as a hash: an earlier run's row is taken only when nothing it depends on has changed."""

from __future__ import annotations

import ast
import gc
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import qbench
from qbench.core.cells.result import KernelTrial
from qbench.peers import PEERS
from qbench.peers.cuda import CUDA_NETWORKS
from qbench.quantization import parse_recipe
from qbench.runner.machine.environment import distributions, operator_libraries, versions
from qbench.suite import KernelSuite, Planned, Suite
from qbench.zoo.cache import cache_folder, keep

_ROOMS = ("core", "kernels", "graph", "engine", "methods", "metrics", "quantization", "peers", "runner", "zoo")


@cache
def sources_hash() -> str:
    """Return the hash of all sources that can change a number in a row (no suite, report or command line).

    Parsing them takes over a second, so what was found is kept beside what else is cached, by the hash of their bytes.
    """
    root = Path(qbench.__file__).parent
    kept = cache_folder() / "sources" / _bytes_hash(root)
    with suppress(OSError, UnicodeDecodeError):
        if len(text := kept.read_text(encoding="ascii")) == hashlib.sha256().digest_size * 2:
            return text
    found = hash_of(root)
    with suppress(OSError):
        keep(kept, found.encode())
    return found


def hash_of(root: Path) -> str:
    """Return the hash of what the source files of `root`'s rooms do: of their names and of the code in them.

    Comments, docstrings and the way that lines are broken make no difference: prose computes nothing, and an edited
    sentence costs no run.
    """
    found = hashlib.sha256()
    with _no_collection():
        for path in _sources(root):
            found.update(str(path.relative_to(root)).encode())
            found.update(_code_of(path.read_bytes()))
    return found.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    for room in _ROOMS:
        yield from sorted((root / room).rglob("*.py"))


def _bytes_hash(root: Path) -> str:
    """Return the hash of the source files as they are, and of the Python that would parse them."""
    found = hashlib.sha256(sys.version.encode())
    for path in _sources(root):
        found.update(str(path.relative_to(root)).encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _code_of(source: bytes) -> bytes:
    """Return the syntax tree of a file as text, without the strings that stand as statements of their own."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_prose(one)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_prose(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let nobody look for cycles: trees have none, and the search takes three times as long as reading them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def trial_hash(
    planned: Planned, suite: Suite, *, model_sha256: str, data_sha256: str, machine: str, quick: bool
) -> str:
    """Return the hash of everything that the row of `planned` depends on, 16 hexadecimal digits.

    A timed row depends on the machine, on its threads and on how it is timed too.
    """
    trial = planned.trial
    recipe = parse_recipe(trial.recipe)
    facts: dict[str, Any] = {
        "trial": [trial.layers, trial.spec, trial.edges, trial.overrides, trial.recipe, trial.variant, trial.backend],
        "stages": recipe.versions,
        "calibration": [trial.calibration, trial.seed],
        "model": model_sha256,
        "data": [data_sha256, suite.data_limit],
        "task": suite.task_name,
        "measure": sorted(planned.measure),
        "reason": planned.reason,
        "sources": sources_hash(),
        "libraries": {name: version(name) for name in ("numpy", "numba", "onnxruntime")},
    }
    if trial.source:
        facts["source"] = trial.source
    if trial.accumulator:
        facts["accumulator"] = trial.accumulator
    if recipe.distributions:
        facts["tools"] = {name: found for name, found in versions().items() if name in recipe.distributions}
    if trial.batch_sizes or trial.backend != "qbench":
        libraries = distributions(PEERS)
        facts["peers"] = {name: found for name, found in versions().items() if name in libraries}
    if trial.batch_sizes:
        facts["timing"] = [
            trial.batch_sizes,
            suite.timing.model_dump(mode="json", exclude={"winners"}),
            suite.threads,
            quick,
            machine,
        ]
    if suite.device != "cpu":
        libraries = (*operator_libraries(suite.device), *distributions(CUDA_NETWORKS))
        facts["device"] = [machine, {name: found for name, found in versions().items() if name in libraries}]
    return digest(facts)


def kernel_hash(trial: KernelTrial, suite: KernelSuite, *, machine: str, quick: bool) -> str:
    """Return the hash of everything that a row of kernels depends on, 16 hexadecimal digits."""
    libraries = operator_libraries(suite.device)
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
