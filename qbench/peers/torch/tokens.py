"""The nodes of a transformer encoder that are no layers, as steps of a PyTorch program: float32 in every precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qbench.core.tensor import Floats
from qbench.graph import Attention, Foreign, Hadamard, LayerNorm, Node, Softmax, TokenMean, Unary
from qbench.graph.embedding import embedding_of

Step = Callable[[Mapping[str, Any]], Any]
Keep = Callable[[str, Floats], Callable[[], Any]]


def token_step(node: Node, *, keep: Keep) -> Step | None:
    """Return how a node is computed from the tensors before it, or None where it has no form here.

    Args:
        node: the node.
        keep: gives the program a constant by name, and returns a call that reads it.
    """
    import torch

    functional = torch.nn.functional
    match node:
        case Foreign():
            return _embedding(node, keep)
        case LayerNorm() if node.centred:
            scale, offset = keep(f"{node.name}.scale", node.scale), keep(f"{node.name}.offset", node.offset)
            shape = list(node.scale.shape)
            return lambda values: functional.layer_norm(values[node.input], shape, scale(), offset(), node.epsilon)
        case Attention() if node.is_plain:
            return _attention(node)
        case Hadamard():
            matrix = keep(f"{node.name}.matrix", node.matrix)
            return lambda values: (values[node.input].unflatten(-1, (-1, node.block)) @ matrix()).flatten(-2)
        case Softmax():
            return lambda values: functional.softmax(values[node.input], -1)
        case Unary() if node.function in ("gelu", "gelu_tanh"):
            approximate = "none" if node.function == "gelu" else "tanh"
            return lambda values: functional.gelu(values[node.input], approximate=approximate)
        case TokenMean():
            return lambda values: values[node.input].mean(1)
        case _:
            return None


def _embedding(node: Foreign, keep: Keep) -> Step | None:
    import torch

    found = embedding_of(node)
    if found is None:
        return None
    table, places = keep(f"{node.name}.table", found.table), keep(f"{node.name}.places", found.places)
    return lambda values: torch.nn.functional.embedding(values[node.inputs[0]], table()) + places()


def _attention(node: Attention) -> Step:
    """Return PyTorch's own attention, which never writes the scores to memory."""
    import torch

    def heads(rows: Any) -> Any:
        return rows.unflatten(-1, (node.heads, -1)).transpose(1, 2)

    def attend(values: Mapping[str, Any]) -> Any:
        query, key, value = (heads(values[name]) for name in (node.query, node.key, node.value))
        found = torch.nn.functional.scaled_dot_product_attention(query, key, value, scale=node.scale)
        return found.transpose(1, 2).flatten(2)

    return attend
