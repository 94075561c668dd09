"""What a network over tokens is, and how it is made ready for its plan: nodes without a step become Foreign ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qbench.engine.tokens.steps import GELU
from qbench.errors import ModelError
from qbench.graph import (
    Add,
    Attention,
    Conv,
    LayerNorm,
    Linear,
    Network,
    Node,
    QuantizedNetwork,
    Softmax,
    TokenMean,
    Unary,
    outputs_of,
)
from qbench.graph.outsource import outsource
from qbench.graph.weights import onnx_order

CACHE_BYTES = 1 << 20
"""Room for the two widest tensors of a pass: a second-level cache."""


def ready(quantized: QuantizedNetwork) -> tuple[Network, dict[str, int]]:
    """Return the network with Foreign nodes in place of those without a step, and each one's operations.

    Convolutions among them get the weights that their codes stand for.

    Raises:
        ModelError: no plan can run the network, in one line.
    """
    real = _with_real_convolutions(quantized)
    handed = outsource(real, keep=has_step)
    _check(handed)
    return handed, _handed_operations(real, handed)


def _handed_operations(network: Network, handed: Network) -> dict[str, int]:
    """Return the operations of the nodes that each Foreign took in, by its name: they count as float ones."""
    owner = {tensor: node.name for node in handed.foreign for tensor in node.outputs}
    kept = {node.output for node in handed.nodes}
    found: dict[str, int] = {}
    for node in reversed(network.nodes):
        if node.output not in kept:
            readers = network.consumers(node.output)
            owner[node.output] = next((owner[r.output] for r in readers if r.output in owner), "")
        if node.output in owner and not has_step(node):
            name = owner[node.output]
            found[name] = found.get(name, 0) + network.operations(node.name)
    return found


def _with_real_convolutions(quantized: QuantizedNetwork) -> Network:
    """Return the network with its convolutions' weights as their codes stand for, since another library runs them."""
    network, weights = quantized.network, quantized.weights
    return replace(network, nodes=tuple(
        replace(node, weight=onnx_order(node, weights[node.name].dequantize()), source="")
        if isinstance(node, Conv) and node.name in weights else node
        for node in network.nodes
    ))  # fmt: skip


def has_step(node: Node) -> bool:
    """Whether a node has a step over tokens."""
    match node:
        case Linear() | LayerNorm() | Softmax() | TokenMean() | Add():
            return True
        case Attention():
            return node.mask is None
        case Unary():
            return node.function in GELU
        case _:
            return False


def _check(network: Network) -> None:
    """Raise ModelError unless every size is known and a vector comes out."""
    name = f"network '{network.name}'"
    if len(network.outputs) != 1 or len(network.shapes[network.output]) != 1:
        raise ModelError(f"{name}: expected one vector as output, got {[network.shapes[t] for t in network.outputs]}")
    if network.batch not in (None, 1):
        raise ModelError(f"{name}: expected any batch, got a file that is fixed to {network.batch}")
    for tensor in (*network.inputs, *(t for node in network.nodes for t in outputs_of(node))):
        if any(size < 1 for size in network.shapes[tensor]):
            raise ModelError(
                f"{name}: expected sizes that are fixed but for the batch, got {tensor} {network.shapes[tensor]}"
            )
        if tensor in network.unbatched:
            raise ModelError(f"{name}: '{tensor}' has no batch, expected one to cut it into passes")


def images_a_pass(network: Network) -> int:
    """Return the images per pass: as many as keep the two widest tensors in the second-level cache."""
    sizes = [4 * int(np.prod(network.shapes[t])) for node in network.nodes for t in outputs_of(node)]
    return int(np.clip(CACHE_BYTES // max(1, sum(sorted(sizes)[-2:])), 1, 32))
