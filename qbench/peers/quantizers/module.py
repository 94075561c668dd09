"""A network as a torch module of torch's own layers, for tools that quantize those."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qbench.errors import UnsuitableError
from qbench.graph import Activation, Add, Clamp, Conv, Flatten, Linear, Network, Node, Pool

Values = Mapping[str, Any]
Step = Callable[[Values], Any]


def word_of(layer: str) -> str:
    """Return a layer's name as a module's, which has no dots."""
    return layer.replace(".", "_").replace(":", "_").replace("/", "_")


def module_of(network: Network) -> Any:
    """Return a module that computes a network of convolutions in float32, images to answers; it can be traced.

    Each layer is a submodule of its name (`word_of`), each relu `<name>_act`.

    Raises:
        UnsuitableError: a node has no such form.
    """
    import torch

    class Module(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
        def __init__(self) -> None:
            super().__init__()
            self.steps = [(node.output, _step(self, node)) for node in network.nodes]

        def forward(self, images: Any) -> Any:
            values = {network.input: images}
            for output, step in self.steps:
                values[output] = step(values)
            return values[network.answer]

    return Module().eval()


def _step(held: Any, node: Node) -> Step:
    """Return how a node is computed; its modules are given to `held`."""
    import torch

    match node:
        case Conv() | Linear():
            layer = _kept(held, word_of(node.name), _conv(node) if isinstance(node, Conv) else _linear(node))
            clamp = _clamp(held, node, node.activation)
            residual = node.residual if isinstance(node, Conv) else None
            if residual is not None:
                return lambda values: clamp(layer(values[node.input]) + values[residual])
            return lambda values: clamp(layer(values[node.input]))
        case Add():
            first, second = node.inputs
            clamp = _clamp(held, node, node.activation)
            return lambda values: clamp(values[first] + values[second])
        case Activation():
            clamp = _clamp(held, node, node.clamp)
            return lambda values: clamp(values[node.input])
        case Flatten():
            flatten = _kept(held, word_of(node.name), torch.nn.Flatten(1))
            return lambda values: flatten(values[node.input])
        case Pool():
            pool = _kept(held, word_of(node.name), _pool(node))
            return lambda values: pool(values[node.input])
    raise UnsuitableError(f"expected convolutions, products, sums, relus and pools, got node '{node.name}'")


def _kept(held: Any, word: str, module: Any) -> Any:
    held.add_module(word, module)
    return module


def _sides(node: Conv | Pool) -> tuple[int, int]:
    top, left, bottom, right = node.pads
    if (top, left) != (bottom, right):
        raise UnsuitableError(f"expected equal padding on opposite sides, got {node.pads} of node '{node.name}'")
    return top, left


def _conv(node: Conv) -> Any:
    import torch

    out, depth, *kernel = node.weight.shape
    made = torch.nn.Conv2d(
        depth * node.groups, out, tuple(kernel), tuple(node.strides), _sides(node), tuple(node.dilations), node.groups
    )
    return _filled(made, node)


def _linear(node: Linear) -> Any:
    import torch

    return _filled(torch.nn.Linear(node.weight.shape[1], node.weight.shape[0]), node)


def _filled(made: Any, node: Conv | Linear) -> Any:
    """Return a layer of torch with a node's numbers."""
    import torch

    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(node.weight.copy()))
        made.bias.copy_(torch.from_numpy(node.bias.copy()))
    return made


def _clamp(held: Any, node: Node, clamp: Clamp | None) -> Any:
    import torch

    if clamp is None:
        return lambda values: values
    relu = clamp == Clamp(0.0, float("inf"))
    return _kept(
        held, f"{word_of(node.name)}_act", torch.nn.ReLU() if relu else torch.nn.Hardtanh(clamp.low, clamp.high)
    )


def _pool(node: Pool) -> Any:
    import torch

    if node.kind == "global_average":
        return torch.nn.AdaptiveAvgPool2d((1, 1))
    kernel, strides, sides = tuple(node.kernel), tuple(node.strides), _sides(node)
    if node.kind == "max":
        return torch.nn.MaxPool2d(kernel, strides, sides)
    return torch.nn.AvgPool2d(kernel, strides, sides, count_include_pad=node.count_include_pad)
