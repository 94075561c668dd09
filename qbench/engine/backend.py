"""qbench as a backend of the onnx package: its node tests run through qbench's reader, node by node.

Foreign nodes run as they will in a session. A typed node is written back as ONNX and run by onnxruntime, so that a test
says whether the node means what the operator means; kernels are held to their own references elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto
from onnx.backend.base import Backend, BackendRep

from qbench.engine.reference_runner import AnyRunner
from qbench.errors import ModelError
from qbench.graph import Foreign, Network, Node
from qbench.graph.onnx.read import network_of_model
from qbench.graph.writing.write import node_as_foreign

Array = npt.NDArray[Any]


class QBenchRep(BackendRep):
    """A network ready to run on named or ordered inputs."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._runners = [AnyRunner(_runnable(network, node)) for node in network.nodes]

    def run(self, inputs: Sequence[Array], **kwargs: Any) -> tuple[Array, ...]:
        """Return the outputs in the network's order, given the inputs in its order; no other arguments are known."""
        if kwargs or len(inputs) != len(self.network.inputs):
            raise ModelError(f"{self.network.name}: expected {len(self.network.inputs)} inputs, got {len(inputs)}")
        known = dict(zip(self.network.inputs, map(np.asarray, inputs), strict=True))
        for runner in self._runners:
            made = runner.run([known[tensor] for tensor in runner.node.inputs])
            known.update(zip(runner.node.outputs, made, strict=True))
        return tuple(known[tensor] for tensor in self.network.outputs)


class QBenchBackend(Backend):
    """Makes networks of models; on the CPU alone."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> QBenchRep:
        """Return the network of a model, ready to run; raise ModelError in one line where it cannot be."""
        super().prepare(model, device, **kwargs)
        return QBenchRep(network_of_model(model, model.graph.name or "model"))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether a device of ONNX's naming is the CPU."""
        return device.split(":")[0] == "CPU"


def _runnable(network: Network, node: Node) -> Foreign:
    return node if isinstance(node, Foreign) else node_as_foreign(network, node)
