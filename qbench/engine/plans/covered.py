"""Which networks the plans have steps for; any other is refused in one line."""

from __future__ import annotations

from qbench.engine.steps.other import OTHER
from qbench.errors import ModelError
from qbench.graph.network import Activation, Add, Conv, Flatten, Linear, Network, Pool

STEPS = (Conv, Linear, Add, Activation, Pool, Flatten, *OTHER)
"""The kinds of nodes that have a step."""


def check_covered(network: Network) -> None:
    """Raise ModelError, naming the node or tensor, unless every node has a step and images (c, h, w) go in and out."""
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        ends = f"{len(network.inputs)} inputs and {len(network.outputs)} outputs"
        raise ModelError(f"network '{network.name}': expected one input and one output to run it, got {ends}")
    if len(network.input_shape) != 3 or network.dtypes.get(network.input):
        kind = network.dtypes.get(network.input, "float32")
        shown = f"{kind} of shape (n, {', '.join(map(str, network.input_shape))})"
        raise ModelError(f"network '{network.name}': expected float32 images (n, c, h, w) as input, got {shown}")
    made = network.shapes[network.output]
    if len(made) == 3 and made[1:] != (1, 1):
        raise ModelError(f"network '{network.name}': expected a vector as output, got images of {made}")
    for node in network.nodes:
        if not isinstance(node, STEPS):
            raise ModelError(
                f"network '{network.name}': node '{node.name}' ({type(node).__name__}) has no step in this engine yet"
            )
        if len(network.shapes[node.output]) == 2:
            raise ModelError(f"network '{network.name}': node '{node.name}' writes tokens, which have no step yet")
