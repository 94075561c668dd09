"""Suites of networks, in the table of kinds: their jobs in order, and the facts of network and data."""

from __future__ import annotations

import math
from typing import Any

from qbench.errors import MachineError, suggest
from qbench.kernels.variants import NAMES
from qbench.results import DataFacts, ModelFacts
from qbench.runner.identity import trial_hash
from qbench.runner.job import Job
from qbench.runner.kind import RunKind
from qbench.runner.networks.estimate import estimate_s
from qbench.runner.plan import Plan, refuse_threads
from qbench.runner.timing.network import network_operations
from qbench.runner.workbench import Workbench, layer_kinds
from qbench.suite import Planned, Suite, expand


def network_jobs(suite: Suite, bench: Workbench, machine: str, quick: bool) -> tuple[Job, ...]:
    """Return the jobs as they are done: the baseline, then those without a clock, then those with one.

    Raises:
        QBenchError: too many samples or threads, a kernel variant that there is not, or layers that there are not.
    """
    first, *rest = expand(suite, layer_kinds(bench.network))
    planned = (first, *sorted(rest, key=is_timed))
    refuse_impossible(planned, bench)
    sources = {"model_sha256": bench.network.sha256, "data_sha256": bench.data.sha256}
    return tuple(
        Job(
            "time" if is_timed(item) else "score",
            item.trial,
            trial_hash(item, suite, **sources, machine=machine, quick=quick),
            item.measure,
            item.reason,
            estimate_s(item, suite, bench, quick=quick),
        )
        for item in planned
    )


def is_timed(planned: Planned) -> bool:
    """Return whether the trial needs the machine for itself."""
    return bool(planned.trial.batch_sizes) and not planned.reason


def refuse_impossible(planned: tuple[Planned, ...], bench: Workbench) -> None:
    """Raise QBenchError for too many samples or threads, or a kernel variant that there is not."""
    refuse_threads(bench.threads)
    for item in planned:
        bench.data.calibration_indices(item.trial.calibration, item.trial.seed)
    for variant in {item.trial.variant for item in planned} - {"auto", *NAMES}:
        raise MachineError(f"unknown kernel variant '{variant}'{suggest(variant, NAMES)}")


def network_facts(plan: Plan) -> dict[str, Any]:
    """Return what `run.json` says of the network and of its data."""
    suite, bench = plan.suite, plan.world
    assert isinstance(suite, Suite)
    network, data = bench.network, bench.data
    model = ModelFacts(
        name=network.name,
        sha256=network.sha256,
        layers=tuple(layer.name for layer in network.layers),
        weights=sum(math.prod(layer.weight.shape) for layer in network.layers),
        operations=network_operations(network),
        declared=network.metadata,
    )
    images = DataFacts(
        name=data.name,
        sha256=data.sha256,
        images=min(suite.data_limit or len(data), len(data)),
        classes=data.classes,
        calibration_images=len(data.calibration),
    )
    return {
        "model": model,
        "data": images,
        "threads": suite.threads,
        "target_keep": suite.target.keep,
        "task": bench.task.name,
    }


NETWORKS = RunKind(Workbench, network_jobs, network_facts, {"cpu": "qbench.runner.networks.maker:NetworkMaker"})
