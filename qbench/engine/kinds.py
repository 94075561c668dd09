"""What kind of network it is: of images (and of anything else that is one array), or of tokens."""

from __future__ import annotations

from qbench.graph.network import (
    Activation,
    Add,
    Attention,
    ChannelAffine,
    Concat,
    Conv,
    DepthToSpace,
    Flatten,
    Interpolate,
    Layer,
    Linear,
    Mul,
    Network,
    Node,
    Pool,
    Recurrent,
    Resize,
    Select,
    Unary,
    inputs_of,
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
    the network, or another library, stays in float32: among tokens a mask, say. What an attention multiplies is read by
    products, as by a layer. A convolution of one channel per window always writes codes.
    """
    tokens, found = has_tokens(network), set[str]()
    images = _beside_layers(network) if tokens else set()
    ends = {network.unflattened(tensor) for tensor in network.outputs}
    for tensor, shape in network.shapes.items():
        if tensor in network.dtypes or tensor in network.unbatched:
            continue
        readers = _readers(network, tensor)
        beside = tensor not in ends and (not tokens or (len(shape) == 3 and tensor in images))
        if any(isinstance(node, Conv | Linear) or (beside and isinstance(node, ON_CODES)) for node in readers):
            found.add(tensor)
        if any(isinstance(node, Attention) and tensor != node.mask for node in readers):
            found.add(tensor)
    alone = {n.output for n in network.layers if is_depthwise(n) and network.consumers(n.output)}
    hidden = {layer.input for layer in network.layers if isinstance(layer, Recurrent)}
    return frozenset(found | hidden | alone - ends - {*network.outputs})


def _beside_layers(network: Network) -> set[str]:
    """Return the tensors between which and some layer there is nothing but steps on codes, before or behind it."""
    joined = [{*inputs_of(node), *outputs_of(node)} for node in network.nodes if isinstance(node, (Layer, *ON_CODES))]
    found = {tensor for layer in network.layers for tensor in (*inputs_of(layer), layer.output)}
    before = -1
    while len(found) > before:
        before = len(found)
        for tensors in (*joined, *reversed(joined)):
            if not tensors.isdisjoint(found):
                found |= tensors
    return found


def _readers(network: Network, tensor: str) -> list[Node]:
    """Return the nodes that read a tensor, in its own shape or flattened."""
    found: list[Node] = []
    for node in network.consumers(tensor):
        found += _readers(network, node.output) if isinstance(node, Flatten) else [node]
    return found
