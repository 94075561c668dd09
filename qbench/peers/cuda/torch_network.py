"""A network in PyTorch's float16 on the GPU, channels last, batch-norm folded: what an int8 network has to beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qbench.core.trial import Trial
from qbench.errors import MachineError
from qbench.graph.network import Activation, Add, Clamp, Conv, Flatten, Linear, Network, Node, Pool
from qbench.peers.cuda.peer import missing_module, torch_on

Floats = npt.NDArray[np.float32]
Step = Callable[[dict[str, Any]], Any]


class TorchNetwork:
    """A network on a batch that lies on the device.

    Args:
        network: the fp32 network.
        images: float32 (n, c, h, w).
        stream: address of the stream that it works on.
    """

    name: ClassVar[str] = "torch-fp16"
    distributions: ClassVar[tuple[str, ...]] = ("torch",)
    kernel = "torch float16, channels last"

    @staticmethod
    def missing() -> str | None:
        """Return why it cannot be used here, or None."""
        return missing_module("torch")

    @staticmethod
    def supports(trial: Trial) -> str | None:
        """Return why it cannot run the network as a trial wants it, or None."""
        return None if trial.layer_spec.scope == "none" else "runs the fp32 network only (spec w32-a32)"

    def __init__(self, network: Network, images: Floats, *, stream: int) -> None:
        self._torch = torch = torch_on(stream)
        torch.backends.cudnn.benchmark = True
        self._network = network
        self._x = self._tensor(images).contiguous(memory_format=torch.channels_last)
        self._steps = [(node.output, self._step(node)) for node in network.nodes]
        self._out: Any = None

    def run(self) -> None:
        """Compute the logits of the batch, on the stream."""
        with self._torch.no_grad():
            values = {self._network.input: self._x}
            for output, step in self._steps:
                values[output] = step(values)
            self._out = values[self._network.answer]

    def result(self) -> Floats:
        """Return the logits of the last run."""
        self._torch.cuda.synchronize()
        found: Floats = self._out.float().cpu().numpy()
        return found

    def _tensor(self, values: npt.NDArray[Any]) -> Any:
        return self._torch.from_numpy(np.array(values, order="C")).cuda().half()

    def _clamped(self, clamp: Clamp | None, value: Any) -> Any:
        if clamp is None:
            return value
        if clamp.low == 0 and np.isinf(clamp.high):
            return self._torch.relu_(value)
        return self._torch.clamp_(value, clamp.low, clamp.high)

    def _step(self, node: Node) -> Step:
        functional = self._torch.nn.functional
        match node:
            case Conv():
                return self._conv(node)
            case Linear():
                weight, bias = self._tensor(node.weight), self._tensor(node.bias)
                return lambda v: self._clamped(node.activation, functional.linear(v[node.input], weight, bias))
            case Add():
                left, right = node.inputs
                return lambda v: self._clamped(node.activation, v[left] + v[right])
            case Activation():
                return lambda v: self._clamped(node.clamp, v[node.input].clone())
            case Pool(kind="global_average"):
                return lambda v: functional.adaptive_avg_pool2d(v[node.input], 1)
            case Pool(kind="max"):
                if node.pads[:2] != node.pads[2:]:
                    raise MachineError(f"node '{node.name}': padding must be the same on both sides")
                return lambda v: functional.max_pool2d(v[node.input], node.kernel, node.strides, node.pads[:2])
            case Flatten():
                return lambda v: v[node.input].flatten(1)
        raise MachineError(f"node '{node.name}' ({type(node).__name__}) has no counterpart")

    def _conv(self, node: Conv) -> Step:
        torch = self._torch
        weight = self._tensor(node.weight).contiguous(memory_format=torch.channels_last)
        bias = self._tensor(node.bias)
        if node.pads[:2] != node.pads[2:]:
            raise MachineError(f"node '{node.name}': padding must be the same on both sides")
        geometry = (node.strides, node.pads[:2], node.dilations, node.groups)

        def run(values: dict[str, Any]) -> Any:
            found = torch.nn.functional.conv2d(values[node.input], weight, bias, *geometry)
            if node.residual is not None:
                found = found.add_(values[node.residual])
            return self._clamped(node.activation, found)

        return run
