"""One trial on the device: quantized as on the CPU, scored and timed through one graph of launches for a batch.

The device's logits are those of the CPU's integer session, which is checked. So accuracy, sizes and times of a row are
those of the arithmetic that ran. What is not quantized stays on the CPU: the fp32 row of such a run has no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from qbench.core.cells.result import OWN
from qbench.core.several import only
from qbench.core.tensor import Floats
from qbench.core.trial import Execution, Measurement, TrialResult
from qbench.engine import build_session
from qbench.engine.device.session import DeviceSession, Picker
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.errors import MachineError, QBenchError
from qbench.graph import QuantizedNetwork
from qbench.metrics.tensor import sqnr_db
from qbench.peers.cuda import CUDA_NETWORKS
from qbench.results.left_out import NOT_TIMED
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.load.measure import observe_energy
from qbench.runner.machine.sensors import Nvml
from qbench.runner.networks.alarms import range_alarms
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.row import Row
from qbench.runner.networks.trial import describe, row_of, run_trial
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import batch_of, network_operations
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import Cell, Rules, interleave
from qbench.suite import Planned

SCORED = 256
"""Images at a time where a trial names no batch size."""
COMPARED = 2
"""Images whose logits are compared with the CPU's: its portable session takes seconds for a large network."""
CLOSE = 1e-5
"""Codes between layers are the same; only the last layer's float32 logits may round differently."""
HALF_DB = 20.0
"""Another library's logits in half precision stand about 60 dB from fp32's; a wrong network falls below this."""
_TRANSFERS = 5
_REASON_LENGTH = 300
ON_CPU = "scored on the CPU and not timed: the device runs quantized networks"


@dataclass(frozen=True, slots=True)
class Place:
    """Where trials run.

    Args:
        device: a GPU, or its simulator.
        clock: of its events.
        rules: of timing.
        pick: says how a layer is computed.
    """

    device: Any
    clock: DeviceClock
    rules: Rules
    pick: Picker


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a session on the device says of itself, as one on the CPU does."""

    kernels: dict[str, str]
    resident_bytes: int
    execution: Execution = "integer"
    execution_reason: str = ""
    integer_share: float = 1.0


def run_device_trial(planned: Planned, bench: Bench, place: Place, *, cache_hash: str) -> TrialResult:
    """Return the row of a trial, whatever happens in it; see `qbench.runner.networks.trial.run_trial`."""
    if planned.trial.layer_spec.scope == "none":
        scored = replace(planned, measure=("accuracy",))
        row = run_trial(scored, bench, cache_hash=cache_hash, rules=place.rules, clock=place.clock)
        return replace(row, notes=(*row.notes, ON_CPU))
    fill = partial(_fill, planned, bench, place)
    return row_of(planned, cache_hash=cache_hash, seeded=bench.seeded, clock=place.clock, fill=fill)


def _fill(planned: Planned, bench: Bench, place: Place, row: Row, phases: Phases) -> str | None:
    trial = planned.trial
    quantized = bench.quantized(trial, phases)
    batches = trial.batch_sizes or (min(SCORED, len(bench.inputs)),)

    def session_of(batch: int) -> DeviceSession:
        try:
            with phases("pack"):
                return DeviceSession(place.device, quantized, images=batch, pick=place.pick)
        except NotIntegerError as error:
            raise MachineError(f"the device runs integer networks only: {error}") from error

    inputs, session = only(bench.inputs, "the device"), session_of(batches[0])
    with phases("verify"):
        check(session, quantized, inputs)
    with phases("score"):
        logits = device_logits(session, inputs)
        row.score(logits, bench.answers)
        describe(row, DeviceFacts(dict(session.kernels), session.resident_bytes), quantized)
    observed = bench.observations(trial).stats()
    kept = {name: params for name, params in quantized.activations.items() if name in observed}
    row.alarms += range_alarms(kept, observed)
    for batch in batches if {"speed", "energy"} & {*planned.measure} else ():
        timed = session if batch == session.images else session_of(batch)
        with phases("time"):
            if "speed" in planned.measure:
                measured, notes = _measure(bench, place, timed, logits)
                row.measurements += measured
                row.notes += [note for note in notes if note not in row.notes]
            if "energy" in planned.measure:
                _energy(place, timed, row)
    return None


def _energy(place: Place, session: DeviceSession, row: Row) -> None:
    """Observe what a sample costs by the GPU's own counter; without one the row says so."""
    device, batch = place.device, session.images
    launch = device.graph(session.work)

    def call() -> None:
        launch()
        device.synchronize()

    try:
        sensor = Nvml()
    except MachineError as error:
        row.notes.append(f"energy: {error}")
        row.observe(OWN, idle_w=None, **{f"energy_j_b{batch}": None})
        return
    observe_energy(row, sensor, [(batch, [Cell(OWN, call, batch)])], place.rules, quiet=call, clock=Clock())


def check(session: DeviceSession, quantized: QuantizedNetwork, inputs: Floats) -> None:
    """Raise MachineError when the device's logits are not those of the CPU's integer session."""
    found = session.run(batch_of(inputs, session.images))[:COMPARED]
    with build_session(quantized) as on_cpu:
        expected = on_cpu.run(inputs[: len(found)])
    _same(found, expected, "the CPU's")


def _same(found: Floats, expected: Floats, whose: str) -> None:
    count = min(len(found), len(expected))
    largest = max(float(np.abs(expected[:count]).max()), 1e-30)
    off = float(np.abs(found[:count] - expected[:count]).max()) / largest
    if not off <= CLOSE:
        raise MachineError(f"the device's logits differ from {whose} by {off:.3g} of the largest")


def device_logits(session: DeviceSession, inputs: Floats) -> Floats:
    """Return the logits of all images, in batches of the session's size; the last one is filled up with images."""
    starts = range(0, len(inputs), session.images)
    found = [session.run(batch_of(inputs[start : start + session.images], session.images)) for start in starts]
    return np.concatenate(found)[: len(inputs)]


def _measure(bench: Bench, place: Place, session: DeviceSession, scored: Floats) -> tuple[list[Measurement], list[str]]:
    """Return the times of a session and of the references in turns, of copying a batch, and who was not timed.

    Raises:
        MachineError: the session answers otherwise than it was scored.
    """
    device, batch = place.device, session.images
    inputs = batch_of(only(bench.inputs, "the device"), batch)
    _same(session.run(inputs), batch_of(scored, batch), "those that were scored")
    operations, notes = batch * network_operations(bench.network), []
    cells = [Cell(OWN, device.graph(session.work), batch, operations)]
    for name in bench.references.names:
        try:
            call = _reference(name, bench, device, inputs)
        except Exception as error:  # another library raises what it likes
            reason = " ".join(str(error).split())[:_REASON_LENGTH] or type(error).__name__
            notes.append(f"{NOT_TIMED}{name}: {reason.removeprefix(f'{name}: ')}")
        else:
            cells.append(Cell(name, call, batch, operations))
    quiet = device.synchronize
    measured = interleave(f"network/batch{batch}", cells, place.rules, clock=place.clock, quiet=quiet)
    copies = Measurement(f"transfer/batch{batch}", OWN, tuple(_transfers(session, inputs, place.clock)), 1, batch)
    return [*measured, copies], notes


def _reference(name: str, bench: Bench, device: Any, inputs: Floats) -> Callable[[], object]:
    """Return another library's call on a batch; raise what it raises, or QBenchError when it answers wrongly."""
    peer = CUDA_NETWORKS.load(name)(bench.network, inputs, stream=device.stream)
    for _ in range(3):
        peer.run()
    device.synchronize()
    expected = batch_of(bench.answers.logits, len(inputs))
    distance_db = sqnr_db(expected, np.asarray(peer.result(), np.float32).reshape(expected.shape))
    if not distance_db >= HALF_DB:
        raise QBenchError(f"logits are {distance_db:.0f} dB from fp32's, expected at least {HALF_DB:.0f} dB")
    call: Callable[[], object] = device.graph(peer.run)
    return call


def _transfers(session: DeviceSession, inputs: Sequence[Any] | Floats, clock: DeviceClock) -> Iterator[float]:
    """Yield the host's seconds of copying a batch to the device."""
    for _ in range(_TRANSFERS):
        start_s = clock.now_s()
        session.load(np.asarray(inputs, np.float32))
        yield clock.now_s() - start_s
