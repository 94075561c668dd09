"""What kind of network it is: of images (and of anything else that is one array), or of tokens."""

from __future__ import annotations

from qbench.graph.network import (
    Activation,
    Add,
    ChannelAffine,
    Concat,
    DepthToSpace,
    Flatten,
    Interpolate,
    Layer,
    Mul,
    Network,
    Node,
    Pool,
    Resize,
    Select,
    Unary,
    outputs_of,
)
from qbench.graph.weights import is_depthwise

IDS = ("int32", "int64")
ON_CODES = (
    Add,
    Activation,
    Pool,
    Flatten,
    Mul,
    Concat,
    Select,
    ChannelAffine,
    Unary,
    Resize,
    Interpolate,
    DepthToSpace,
)
"""Nodes without weights that have a step on codes."""


def has_tokens(network: Network) -> bool:
    """Whether a network is one over tokens: it reads rows of ids, or a node writes a vector for each token."""
    reads_ids = any(
        network.dtypes.get(name) in IDS and len(network.shapes[name]) == 1 and name not in network.unbatched
        for name in network.inputs
    )
    return reads_ids or any(len(network.shapes[t]) == 2 for n in network.nodes for t in outputs_of(n))


def shown(network: Network) -> frozenset[str]:
    """Return the tensors that calibration looks at: those that a step on codes could read, and no others.

    Layers read codes; of images so do sums, clamps, pools and the like. What enters nothing but these on its way out of
    the network, or another library, stays in float32. A convolution of one channel per window always writes codes.
    """
    tokens, found = has_tokens(network), set[str]()
    ends = {network.unflattened(tensor) for tensor in network.outputs}
    for tensor, shape in network.shapes.items():
        if tensor in network.dtypes or tensor in network.unbatched:
            continue
        readers = _readers(network, tensor)
        beside = tensor not in ends and (not tokens or len(shape) == 3)
        if any(isinstance(node, Layer) or (beside and isinstance(node, ON_CODES)) for node in readers):
            found.add(tensor)
    alone = {n.output for n in network.layers if is_depthwise(n) and network.consumers(n.output)}
    return frozenset(found | alone - ends - {*network.outputs})


def _readers(network: Network, tensor: str) -> list[Node]:
    """Return the nodes that read a tensor, in its own shape or flattened."""
    found: list[Node] = []
    for node in network.consumers(tensor):
        found += _readers(network, node.output) if isinstance(node, Flatten) else [node]
    return found
