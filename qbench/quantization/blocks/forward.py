"""Nodes in torch, with gradients: what a block computes while its rounding or its steps are learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import torch
import torch.nn.functional as fn

from qbench.core.tensor import Floats
from qbench.graph.network import (
    Activation,
    Add,
    Attention,
    ChannelAffine,
    Clamp,
    Concat,
    Conv,
    Flatten,
    Layer,
    LayerNorm,
    Linear,
    Mul,
    Node,
    Pool,
    Softmax,
    TokenMean,
    Unary,
    inputs_of,
)

Tensor: TypeAlias = Any

UNARIES: Mapping[str, Callable[..., Tensor]] = {
    "gelu": fn.gelu,
    "gelu_tanh": lambda x: fn.gelu(x, approximate="tanh"),
    "hard_sigmoid": lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "hard_swish": fn.hardswish,
    "leaky_relu": fn.leaky_relu,
    "sigmoid": torch.sigmoid,
    "silu": lambda x, alpha: x * torch.sigmoid(alpha * x),
    "tanh": torch.tanh,
}
"""Functions of one number that have a form here, by their name in `qbench.graph.functions`."""
_PLAIN = (
    Conv, Linear, Add, Mul, Concat, Activation, ChannelAffine, Flatten, LayerNorm, Softmax, TokenMean, Attention,
)  # fmt: skip


def can_run(nodes: Iterable[Node]) -> bool:
    """Whether all nodes have a form here."""
    return all(
        isinstance(node, _PLAIN)
        or (isinstance(node, Unary) and node.function in UNARIES)
        or (isinstance(node, Pool) and (node.kind != "average" or not any(node.pads)))
        for node in nodes
    )


class Values(dict[str, Tensor]):
    """The tensors of a pass.

    Args:
        found: those that nodes read of others before them.
        weights: layer -> its weight in ONNX order; other layers have their own.
        rounded: returns what a tensor becomes where it is quantized; called once for each.
        everyone: whether all nodes see a tensor quantized, as among images; only layers do so among tokens.
    """

    def __init__(
        self,
        found: Mapping[str, Tensor],
        *,
        weights: Mapping[str, Tensor],
        rounded: Callable[[str, Tensor], Tensor],
        everyone: bool,
    ) -> None:
        super().__init__(found)
        self._weights, self._rounded, self._everyone = weights, rounded, everyone
        self._seen: dict[str, Tensor] = {}

    def run(self, nodes: Iterable[Node]) -> None:
        """Compute all nodes, in order."""
        for node in nodes:
            self[node.output] = self._of(node)

    def _read(self, node: Node) -> list[Tensor]:
        return [
            self._quantized(name) if self._everyone or (isinstance(node, Layer) and not place) else self[name]
            for place, name in enumerate(inputs_of(node))
        ]

    def _quantized(self, name: str) -> Tensor:
        if name not in self._seen:
            self._seen[name] = self._rounded(name, self[name])
        return self._seen[name]

    def _of(self, node: Node) -> Tensor:
        read = self._read(node)
        match node:
            case Conv() | Linear():
                weight = self._weights.get(node.name)
                return _layer(node, read, held(node.weight) if weight is None else weight)
            case Add():
                return _clamped(read[0] + read[1], node.activation)
            case Mul():
                return _clamped(read[0] * read[1], node.activation)
            case Concat():
                return torch.cat(read, dim=1 if read[0].ndim == 4 else -1)
            case Flatten():
                return read[0].flatten(1)
            case Pool():
                return _pooled(node, read[0])
            case Attention():
                return _attention(node, *read)
            case _:
                return _of_one(node, read[0])


def _of_one(node: Node, x: Tensor) -> Tensor:
    match node:
        case Activation():
            return _clamped(x, node.clamp)
        case ChannelAffine():
            shape = (-1, 1, 1) if x.ndim == 4 else (-1,)
            scale, offset = (held(values).reshape(shape) for values in (node.scale, node.offset))
            return _clamped(x * scale + offset, node.activation)
        case LayerNorm():
            scale, offset = held(node.scale), held(node.offset)
            if not node.centred:
                return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + node.epsilon) * scale + offset
            return fn.layer_norm(x, (x.shape[-1],), scale, offset, node.epsilon)
        case Softmax():
            return torch.softmax(x, dim=-1)
        case TokenMean():
            return x.mean(dim=1)
        case Unary():
            return UNARIES[node.function](x, *node.parameters)
    raise ValueError(f"node '{node.name}' has no form in torch")


def _clamped(x: Tensor, clamp: Clamp | None) -> Tensor:
    if clamp is None:
        return x
    return torch.relu(x) if (clamp.low, clamp.high) == (0, float("inf")) else x.clamp(clamp.low, clamp.high)


def _layer(node: Conv | Linear, read: list[Tensor], weight: Tensor) -> Tensor:
    bias = held(node.bias)
    if isinstance(node, Linear):
        return _clamped(fn.linear(read[0], weight, bias), node.activation)
    top, left, bottom, right = node.pads
    even = (top, left) == (bottom, right)
    x = read[0] if even else fn.pad(read[0], (left, right, top, bottom))
    pads = (top, left) if even else 0
    y = fn.conv2d(x, weight, bias, node.strides, pads, node.dilations, node.groups)
    return _clamped(y + read[1] if len(read) > 1 else y, node.activation)


def _pooled(node: Pool, x: Tensor) -> Tensor:
    if node.kind == "global_average":
        return x.mean(dim=(2, 3), keepdim=True)
    if node.kind == "average":
        return fn.avg_pool2d(x, node.kernel, node.strides)
    top, left, bottom, right = node.pads
    return fn.max_pool2d(fn.pad(x, (left, right, top, bottom), value=-float("inf")), node.kernel, node.strides)


def _attention(node: Attention, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    q, k, v = (
        x.unflatten(1, (node.windows, -1)).unflatten(-1, (node.heads, -1)).transpose(2, 3) for x in (query, key, value)
    )
    scores = q @ k.transpose(-1, -2) * node.scale
    scores = scores if mask is None else scores + mask.unsqueeze(1)
    scores = scores if node.bias is None else scores + held(node.bias)
    weights = torch.nan_to_num(torch.softmax(scores, dim=-1))  # 0 where all are masked by -inf
    return (weights @ v).transpose(2, 3).flatten(3).flatten(1, 2)


def held(array: Floats) -> Tensor:
    """Return an array as a tensor of its own: torch takes none that may not be written."""
    return torch.tensor(array)
