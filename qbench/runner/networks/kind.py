"""Suites of networks, in the table of kinds: their jobs in order, and the facts of network and data."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

from qbench.core.trial import WINNERS, Trial
from qbench.errors import MachineError, suggest
from qbench.graph import Network, read_codes, read_network
from qbench.graph.readers import UNREAD, read_norms
from qbench.kernels.variants import NAMES
from qbench.quantization import layer_kinds
from qbench.results import DataFacts, ModelFacts, NetworkRun
from qbench.results.front import worth_timing
from qbench.runner.identity import trial_hash
from qbench.runner.job import Job
from qbench.runner.kind import PlanFacts, RunKind
from qbench.runner.machine.devices import DEVICES
from qbench.runner.networks.bench import Bench, References
from qbench.runner.networks.calibration import Calibration
from qbench.runner.networks.estimate import estimate_s
from qbench.runner.networks.expected import expected
from qbench.runner.plan import Plan, refuse_threads
from qbench.runner.timing.network import network_operations
from qbench.suite import Planned, Suite, expand
from qbench.suite.axes import DeviceName
from qbench.zoo import DATASETS, Samples, known_shapes, model_path
from qbench.zoo.own_data import Wanted, inputs_of, load_own


def bench_of(suite: Suite, *, network: Network | None = None, data: Samples | None = None) -> Bench:
    """Return the bench that a suite's trials run on.

    Args:
        suite: names model, data, threads and calibration.
        network: the suite's network where it was read already.
        data: the suite's data where it was loaded already.

    Raises:
        QBenchError: the network or the data cannot be read, or do not fit each other.
    """
    source, shapes = suite.model_source(), known_shapes(suite.model) | suite.given
    network = network or read_network(model_path(source), shapes=shapes)
    quantized = os.path.isfile(source) and UNREAD not in network.metadata  # packaged networks are float32
    data = data or _data_of(suite, network)
    bench = Bench(
        network,
        data,
        threads=suite.threads,
        limit=suite.data_limit,
        references=References(
            suite.timing.references,
            calibration_samples(suite, data),
            suite.calibration.seed,
            suite.calibration.source,
        ),
        task=suite.task_name,
        kept=read_codes(Path(source), shapes=shapes) if quantized else None,
    )
    bench.calibration = Calibration(network, data, suite.threads, lambda: read_norms(model_path(source), shapes=shapes))
    return bench


def _data_of(suite: Suite, network: Network) -> Samples:
    """Return the data that a suite names; of a folder only as many images as are evaluated, drawn by the seed."""
    source = suite.data_source()
    in_folder = source not in DATASETS and os.path.isdir(source)
    limit = suite.data_limit if in_folder else None
    apart = None if _draws_data(suite) else 0
    wanted = Wanted(inputs_of(network), calibration=apart, seed=suite.calibration.seed, limit=limit, how=suite.how)
    return load_own(source, wanted)


def _draws_data(suite: Suite) -> bool:
    """Return whether any trial is calibrated on samples of the data."""
    cells = (cell for sweep in suite.sweeps for cell in sweep.cells())
    return any("" in (cell.source or (suite.calibration.source,)) for cell in cells)


def calibration_samples(suite: Suite, data: Samples) -> int:
    """Return how many calibration samples are drawn: what the suite says, else its default or as many as there are."""
    calibration = suite.calibration
    if "samples" in calibration.model_fields_set or not _draws_data(suite):
        return calibration.samples
    return min(calibration.samples, max(1, len(data.calibration)))


def network_jobs(suite: Suite, bench: Bench, machine: str, quick: bool) -> tuple[Job, ...]:
    """Return the jobs as they are done: the baseline, then those without a clock, then those with one.

    Raises:
        QBenchError: too many samples or threads, a kernel variant that there is not, or layers that there are not.
    """
    samples = calibration_samples(suite, bench.data)
    drawn = suite.model_copy(update={"calibration": suite.calibration.model_copy(update={"samples": samples})})
    first, *rest = expand(drawn, layer_kinds(bench.network), kept=bench.kept_token)
    planned = (first, *sorted(rest, key=is_timed))
    refuse_impossible(planned, bench, suite.device)
    return tuple(_job(item, suite, bench, machine, quick) for item in planned)


def winners(plan: Plan, run: NetworkRun) -> tuple[Job, ...]:
    """Return jobs that time the rows worth it, those that an earlier run of the suite timed so among them."""
    suite, machine = plan.suite, DEVICES[plan.suite.device].identity()
    assert isinstance(suite, Suite)
    before = tuple(row for row in run.results if row.trial.sweep != WINNERS)
    rows = worth_timing(replace(run, results=before), suite.timing.winners) if suite.timing.winners else []
    trials = (replace(row.trial, sweep=WINNERS, batch_sizes=suite.timing.batch_sizes) for row in rows)
    planned = tuple(Planned(trial, ("accuracy", "speed")) for trial in trials)
    return tuple(_job(item, suite, plan.world, machine, plan.quick) for item in planned)


def _job(item: Planned, suite: Suite, bench: Bench, machine: str, quick: bool) -> Job:
    sources = {"model_sha256": bench.network.sha256, "data_sha256": bench.data.sha256}
    return Job(
        "time" if is_timed(item) else "score",
        item.trial,
        trial_hash(item, suite, **sources, machine=machine, quick=quick),
        item.measure,
        item.reason,
        estimate_s(item, suite, bench, quick=quick),
    )


def is_timed(planned: Planned) -> bool:
    """Return whether the trial needs the machine for itself."""
    return bool(planned.trial.batch_sizes) and not planned.reason


def refuse_impossible(planned: tuple[Planned, ...], bench: Bench, device: DeviceName) -> None:
    """Raise QBenchError for too many samples or threads, or a kernel variant that there is not."""
    refuse_threads(bench.threads)
    for item in planned:
        if not item.trial.source and item.trial.method != "none":
            bench.data.calibration_indices(item.trial.calibration, item.trial.seed)
    known = ("auto", *NAMES) if device == "cpu" else ("auto",)  # on a device, each layer takes what is fastest there
    for variant in sorted({item.trial.variant for item in planned} - {*known}):
        if device != "cpu":
            raise MachineError(f"variant: expected auto on the device '{device}', got '{variant}'")
        raise MachineError(f"unknown kernel variant '{variant}'{suggest(variant, NAMES)}")


def network_facts(plan: Plan) -> PlanFacts:
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
        images=bench.count,
        classes=data.classes,
        calibration_images=len(data.calibration),
    )
    expect = expected(suite, [job.trial for job in plan.jobs if isinstance(job.trial, Trial)])
    of_suite = {"target_keep": suite.target.keep, "task": bench.task.name, "expect": expect}
    return PlanFacts(suite.threads, of_suite, {"model": model, "data": images})


NETWORKS = RunKind(
    bench_of,
    network_jobs,
    network_facts,
    {
        "cpu": "qbench.runner.networks.maker:NetworkMaker",
        "cuda": "qbench.runner.cuda.networks:CudaNetworkMaker",
    },
    lambda bench: bench.remarks,
    winners,
)
