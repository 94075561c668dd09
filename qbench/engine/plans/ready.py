"""A network made ready for its plan: nodes without a step become Foreign ones, neighbours among them one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qbench.engine.plans.forms import IMAGES, NUMBERS, ROWS, Grid, grids, is_image
from qbench.engine.plans.sizes import with_sizes
from qbench.errors import ModelError
from qbench.graph.network import (
    Activation,
    Add,
    Attention,
    Conv,
    Flatten,
    Foreign,
    Layer,
    Mul,
    Network,
    Node,
    TokenMean,
    inputs_of,
    outputs_of,
)
from qbench.graph.nodes import Recurrent
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.graph.weights import onnx_order


class NoPlanError(ModelError):
    """No program of fixed buffers can run a network; the message is the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A network whose nodes all have a step.

    Args:
        network: with Foreign nodes in place of those without one.
        grids: of the tensors that steps read and write.
        operations: of each Foreign per image, by its name: two per multiply-add.
    """

    network: Network
    grids: Mapping[str, Grid]
    operations: Mapping[str, int]


def ready(quantized: QuantizedNetwork) -> Ready:
    """Return a network with Foreign nodes in place of those without a step.

    Layers among them get the weights that their codes stand for. A tensor whose size only a run shows, or that has no
    batch, stays inside of Foreign nodes: what writes it is taken into those that read it.

    Raises:
        NoPlanError: an input or output has a size that only a run shows.
    """
    quantized = replace(quantized, network=with_sizes(quantized.network))
    network, grid = quantized.network, grids(quantized.network)
    _check_ends(network)
    kept = {node.name for node in network.nodes if has_step(node, network, grid)}
    handed = _handed(quantized, kept)
    while loose := [tensor for node in handed.foreign for tensor in node.outputs if _is_loose(handed, tensor)]:
        handed = _absorbed(handed, loose[-1])
    return Ready(handed, grid, _operations(handed))


def _handed(quantized: QuantizedNetwork, kept: set[str]) -> Network:
    """Return the network with all nodes but the kept ones as Foreign nodes."""
    network = quantized.network
    if all(isinstance(node, Foreign) or node.name in kept for node in network.nodes) and len(network.foreign) < 2:
        return network
    from qbench.graph.outsource import outsource  # brings onnx, 20 MB that other networks run without

    real = replace(network, nodes=tuple(
        _with_real_weights(node, quantized) if isinstance(node, Layer) and node.name not in kept else node
        for node in network.nodes
    ))  # fmt: skip
    return outsource(real, keep=lambda node: node.name in kept)


def _is_loose(network: Network, tensor: str) -> bool:
    """Whether a tensor between nodes has no buffer of a known size for each sample."""
    inside = tensor not in network.outputs and tensor in network.unbatched
    return inside or any(size < 1 for size in network.shapes[tensor])


def _absorbed(network: Network, tensor: str) -> Network:
    from qbench.graph.outsource import absorbed

    found = absorbed(network, tensor)
    if found is None:
        raise NoPlanError(f"network '{network.name}': '{tensor}' has a size that only a run shows, or no batch")
    return found


def has_step(node: Node, network: Network, grid: Mapping[str, Grid]) -> bool:
    """Whether the engine has a step for a node: of its kind, on tensors that lie as it wants them."""
    ends = (*inputs_of(node), *outputs_of(node))
    if isinstance(node, Foreign) or not all(tensor in grid for tensor in ends):
        return False
    images = [is_image(network, tensor, grid) for tensor in ends]
    ranks = [len(network.shapes[tensor]) for tensor in ends]
    if isinstance(node, Attention):
        others = network.shapes[node.key][0] // node.windows
        masked = node.mask is None or (ranks.pop(3) == 3 and network.shapes[node.mask][-1] == others)
        return masked and set(ranks) == {2}
    if isinstance(node, Recurrent):
        return ranks[0] == 2
    if isinstance(node, TokenMean):
        return ranks[0] == 2
    if isinstance(node, Flatten):
        return images[0]
    if isinstance(node, Mul) and images[0] and network.shapes[node.inputs[1]] == (grid[node.inputs[0]][2], 1, 1):
        return True
    if isinstance(node, NUMBERS):
        same = len({grid[tensor] for tensor in ends}) == 1 and len(set(images)) == 1
        return same or (isinstance(node, Add | Activation) and len({network.shapes[t] for t in ends}) == 1)
    if isinstance(node, ROWS):
        return not any(images)
    return isinstance(node, IMAGES) and all(is_image or rank < 3 for is_image, rank in zip(images, ranks, strict=True))


def _with_real_weights(layer: Layer, quantized: QuantizedNetwork) -> Layer:
    """Return a layer with the weights that its codes stand for, since another library runs it."""
    if layer.name not in quantized.weights:
        return layer
    reals = quantized.weights[layer.name].dequantize()
    return replace(layer, weight=onnx_order(layer, reals) if isinstance(layer, Conv) else reals, source="")


def _operations(network: Network) -> dict[str, int]:
    """Return the operations of each Foreign, by its name."""
    if not network.foreign:
        return {}
    from qbench.graph.foreign_operations import operations_of

    return {node.name: operations_of(node) for node in network.foreign}


def _check_ends(network: Network) -> None:
    """Raise NoPlanError unless every size of every input and output is known."""
    for tensor in (*network.inputs, *network.outputs):
        if any(size < 1 for size in network.shapes[tensor]):
            sizes = ", ".join("?" if size < 1 else str(size) for size in network.shapes[tensor])
            what = "fix it by --shape" if tensor in network.inputs else "only a run shows it"
            raise NoPlanError(f"network '{network.name}': '{tensor}' (batch, {sizes}) has a size that is free: {what}")
