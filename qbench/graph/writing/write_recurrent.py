"""How a recurrence is spelled in ONNX: an LSTM or GRU of one direction, which multiplies its input too.

The Linear that stands before a `Recurrent` and feeds nothing else goes into the operator.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qbench.graph.network import Network
from qbench.graph.nodes import Floats, Linear, Recurrent
from qbench.graph.writing.builder import Builder

_TURNED = (1, 0, 2)


def feeders(network: Network) -> dict[str, Linear]:
    """Return the Linear that goes into each recurrence, by what it writes."""
    wanted = {node.gates for node in network.nodes if isinstance(node, Recurrent)}
    return {
        node.output: node for node in network.nodes
        if isinstance(node, Linear) and node.output in wanted and node.activation is None
        and node.output not in network.outputs
        and all(isinstance(reader, Recurrent) for reader in network.consumers(node.output))
    }  # fmt: skip


def write_recurrent(builder: Builder, node: Recurrent, feeder: Linear | None, *, weights: Mapping[str, Floats]) -> None:
    """Add a recurrence, with the Linear before it where there is one.

    Args:
        builder: where nodes go.
        node: the recurrence; its tensors have the names that they have in the file.
        feeder: the Linear, its input as in the file; None where the gates come from elsewhere, as they are.
        weights: layer -> float32 weights in place of its own.
    """
    name, rows = node.name, len(node.weight)
    product = np.eye(rows, dtype=np.float32) if feeder is None else weights.get(feeder.name, feeder.weight)
    own = node.bias if feeder is None else feeder.bias
    beside = np.zeros(rows, np.float32) if feeder is None else node.bias

    def constant(of: str, value: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> str:
        return builder.constant(f"{name}.{of}", value)

    def turned(tensor: str, of: str) -> str:
        return builder.op("Transpose", [tensor], f"{name}:{of}", name=f"{name}.{of}", perm=_TURNED)

    source = turned(node.gates if feeder is None else feeder.input, "source")
    one_row = constant("one_row", np.asarray([0, 1, -1], np.int64))
    firsts = [
        turned(builder.op("Reshape", [first, one_row], f"{name}:row{place}"), f"first{place}") if first else ""
        for place, first in enumerate(node.first)
    ]
    inputs = [
        source, constant("input.weight", product[None]), constant("weight", weights.get(name, node.weight)[None]),
        constant("bias", np.concatenate([own, beside])[None]), "", *firsts,
    ]  # fmt: skip
    while not inputs[-1]:
        inputs.pop()
    outputs = [f"{name}:steps", *(f"{name}:last{place}" for place in range(len(node.last)))]
    more = {"linear_before_reset": 1} if node.cell == "GRU" else {}
    direction = "reverse" if node.reverse else "forward"
    builder.operator(
        node.cell, inputs, outputs, name=name, hidden_size=node.weight.shape[1], direction=direction, **more
    )
    steps = builder.op("Transpose", outputs[:1], f"{name}:turned", name=f"{name}.turned", perm=(2, 0, 1, 3))
    builder.op(
        "Reshape", [steps, constant("tokens", np.asarray([0, 0, -1], np.int64))], node.output, name=f"{name}.rows"
    )
    for place, last in enumerate(node.last):
        builder.op("Transpose", [outputs[1 + place]], last, name=f"{name}.end{place}", perm=_TURNED)
