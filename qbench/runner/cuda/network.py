"""A whole network on the device beside PyTorch in float16: one graph each, in turns; transfers apart."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from qbench.core.tensor import Floats
from qbench.engine import build_session
from qbench.errors import MachineError
from qbench.graph import Network, QuantizedNetwork, read_onnx
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.cuda.choose.candidates import candidates
from qbench.kernels.cuda.choose.choice import Choice, Job
from qbench.kernels.cuda.machines.driver import Device
from qbench.kernels.cuda.operands import Codes
from qbench.kernels.cuda.operation import DeviceProduct, Known, Task, run_all
from qbench.peers.cuda.torch_network import TorchNetwork
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.runner.cuda.clock import DeviceClock
from qbench.runner.cuda.session import DeviceSession
from qbench.runner.timing.sampling import Cell, Rules, interleave
from qbench.zoo import model_path

OWN, PEER = "qbench", "torch-fp16"
CALIBRATION_IMAGES, COMPARED = 16, 2
_WAYS, _TRIES, _TRANSFERS = 6, 3, 5
_SEED = 0
_CLOSE = 1e-5


class Tuner:
    """Picks the fastest of a layer's candidates on the device, each job once."""

    def __init__(self, device: Device, clock: DeviceClock) -> None:
        self._device, self._clock = device, clock
        self._known: dict[Job, Choice] = {}

    def __call__(self, task: Task, codes: Codes, params: ChannelParams, job: Job) -> Choice:
        """Return the fastest choice for a job."""
        if job not in self._known:
            units = self._device.attribute("multiprocessors")
            found = candidates(job, self._device.capability, multiprocessors=units)[:_WAYS]
            if not found:
                raise MachineError(f"no kernel on the device computes {job.product} {job.epilogue}")
            known: Known = {}
            self._known[job] = min(found, key=partial(self._seconds, task, codes, params, known))
        return self._known[job]

    def _seconds(self, task: Task, codes: Codes, params: ChannelParams, known: Known, choice: Choice) -> float:
        device = self._device
        layouts = (task.lhs, task.out, task.residual or task.out)
        buffers = [device.empty(layout.size_bytes, fill=1) for layout in layouts]
        call = run_all(DeviceProduct(device, task, codes, params, choice, known=known).attach(*buffers))
        call()
        return min(self._clock.elapsed_s(call, 1) for _ in range(_TRIES))


def time_network(
    device: Device, clock: DeviceClock, rules: Rules, *, model: str, spec: str, batch: int
) -> dict[str, Any]:
    """Return the facts and raw times of a network of the zoo on random images, `batch` at a time.

    Raises:
        MachineError: the device's logits are not the CPU's.
    """
    network = read_onnx(model_path(model))
    images = np.random.default_rng(_SEED).standard_normal((batch, *network.input_shape)).astype(np.float32)
    quantized = quantize(network, images[:CALIBRATION_IMAGES], spec)
    session = DeviceSession(device, quantized, images=batch, pick=Tuner(device, clock))
    off = difference(session.run(images)[:COMPARED], quantized, images[:COMPARED])
    if off > _CLOSE:
        raise MachineError(f"{model}: the device's logits differ from the CPU's by {off:.3g} of the largest")
    operations = batch * sum(network.operations(node.name) for node in network.nodes)
    cells = [Cell(OWN, device.graph(session.work), batch, operations)]
    peer = peer_cell(device, network, images, batch, operations)
    cells += [peer] if isinstance(peer, Cell) else []
    measured = interleave(f"{model}/batch{batch}", cells, rules, clock=clock, quiet=device.synchronize)
    return {
        "model": model, "spec": spec, "batch": batch, "kernels": session.kernels, "operations": operations,
        "resident_bytes": session.resident_bytes, "logits_off": off, "peer": PEER if len(cells) > 1 else str(peer),
        "transfer_s": transfer_s(session, images, clock), "measurements": [asdict(one) for one in measured],
        "images_per_s": {one.cell: batch / one.median_s for one in measured},
    }  # fmt: skip


def quantize(network: Network, images: Floats, spec: str) -> QuantizedNetwork:
    """Return the network quantized by `minmax`, calibrated on `images`."""
    seen = Observations(network, lambda: images, threads=2)
    return parse_recipe("minmax").apply(assigned(network, spec, method="minmax"), seen)


def difference(found: Floats, quantized: QuantizedNetwork, images: Floats) -> float:
    """Return the largest difference from the CPU's integer session, as a share of its largest logit."""
    with build_session(quantized) as session:
        want = session.run(images)
    return float(np.abs(found - want).max() / max(float(np.abs(want).max()), 1e-30))


def peer_cell(device: Device, network: Network, images: Floats, batch: int, operations: int) -> Cell | str:
    """Return PyTorch's cell, or why there is none."""
    try:
        peer = TorchNetwork(network, images, stream=device.stream)
        for _ in range(3):
            peer.run()
        device.synchronize()
        return Cell(PEER, device.graph(peer.run), batch, operations)
    except Exception as error:  # another library raises what it likes
        return " ".join(str(error).split())[:300] or type(error).__name__


def transfer_s(session: DeviceSession, images: Floats, clock: DeviceClock) -> float:
    """Return the host's median seconds of copying a batch to the device."""
    found = []
    for _ in range(_TRANSFERS):
        start_s = clock.now_s()
        session.load(images)
        found.append(clock.now_s() - start_s)
    return sorted(found)[_TRANSFERS // 2]
