"""How a layer is computed on a device: by whichever candidate is the fastest there, each job tried once."""

from __future__ import annotations

from functools import partial

from qbench.errors import MachineError
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.cuda.choose.candidates import candidates
from qbench.kernels.cuda.choose.choice import Choice, Job
from qbench.kernels.cuda.machines.driver import Device
from qbench.kernels.cuda.operands import Codes
from qbench.kernels.cuda.operation import DeviceProduct, Known, Task, run_all
from qbench.runner.cuda.clock import DeviceClock

_WAYS, _TRIES = 6, 3


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
