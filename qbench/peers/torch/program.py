"""A network as a PyTorch function for its compiler: float, or with quantize and dequantize steps as PT2E writes them.

PyTorch's compiler (inductor) takes each dequantize, convolution, addition, relu and quantize into one oneDNN call on
prepacked weights. The steps carry qbench's own scales; PT2E's quantizer, which would choose them anew, is not needed.
Over tokens only what enters a product is quantized, as PT2E's quantizer has it: the rest is float (`torch_tokens`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.tensor import Floats
from qbench.errors import ModelError
from qbench.graph import (
    Activation,
    Add,
    Clamp,
    Conv,
    Flatten,
    Linear,
    Network,
    Node,
    Pool,
    QuantizedNetwork,
    Select,
)
from qbench.graph.writing.qdq_params import weight_codes
from qbench.peers.laws import shared_law
from qbench.peers.torch.tokens import token_step

Program = Callable[[Any], Any]


class Form:
    """How numbers of a network are written in PyTorch: as PT2E writes them, in 8 bits, or as they are in float32.

    Args:
        quantized: codes and parameters; none of either for float32.
    """

    def __init__(self, quantized: QuantizedNetwork) -> None:
        self.quantized, self.network = quantized, quantized.network
        self.rounds = bool(quantized.activations)

    def rounding(self, tensor: str) -> Program:
        """Return quantize, then dequantize, of a tensor."""
        import torch

        law = (*shared_law(self.network, self.quantized.activations, tensor), 0, 255, torch.uint8)
        steps = torch.ops.quantized_decomposed
        return lambda values: steps.dequantize_per_tensor.default(steps.quantize_per_tensor.default(values, *law), *law)

    def weight(self, held: Any, node: Conv | Linear) -> Callable[[], Any]:
        """Return the weights as a call: a dequantize step of their codes, or themselves in float32."""
        import torch

        if not self.rounds:
            return kept_weight(held, node, node.weight)
        array, scale = weight_codes(node, self.quantized.weights[node.name])
        codes = _kept(held, f"{node.name}.codes", _in_torch(node, array))
        spread = np.broadcast_to(scale, len(array)).astype(np.float32)
        scales = _kept(held, f"{node.name}.scale", torch.from_numpy(spread.copy()))
        zeros = _kept(held, f"{node.name}.zero_point", torch.zeros(len(array), dtype=torch.int64))
        dequantize = torch.ops.quantized_decomposed.dequantize_per_channel.default
        return lambda: dequantize(codes(), scales(), zeros(), 0, -128, 127, torch.int8)


def kept_weight(held: Any, node: Conv | Linear, floats: Floats) -> Callable[[], Any]:
    """Give a module the weights of a layer as floats in ONNX order; return a call that reads them."""
    return _kept(held, f"{node.name}.weight", _in_torch(node, floats))


def _in_torch(node: Conv | Linear, array: npt.NDArray[Any]) -> Any:
    import torch

    last = torch.channels_last if isinstance(node, Conv) else torch.contiguous_format
    return torch.from_numpy(array.copy()).contiguous(memory_format=last)


def program(form: Form, *, name: str) -> Program:
    """Return a function of float32 NCHW or of int64 ids, whose numbers have a form.

    Raises:
        ModelError: in the name of the peer `name`, when a node has no form here.
    """
    import torch
    import torch.ao.quantization.fx._decomposed  # registers the quantize and dequantize steps

    network = form.network

    class Module(torch.nn.Module):  # type: ignore[misc]  # only a module's buffers are frozen
        def __init__(self) -> None:
            super().__init__()
            self.steps = [_step(self, node, form, name) for node in network.nodes]
            self.first = _written(form, network.input)

        def forward(self, inputs: Any) -> Any:
            values = {network.input: self.first(inputs)}
            for output, step in self.steps:
                values[output] = step(values)
            return values[network.answer]

    made: Program = Module().eval()
    return made


def _step(held: Any, node: Node, form: Form, name: str) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    """Return the tensor that a node writes, and how it is computed from those before it."""
    rounding = _written(form, node.output)
    match node:
        case Conv() | Linear():
            layer = _layer(held, node, form)
            return node.output, lambda values: rounding(layer(values))
        case Add():
            first, second = node.inputs
            return node.output, lambda values: rounding(_clamped(values[first] + values[second], node.activation))
        case Activation():
            return node.output, lambda values: rounding(_clamped(values[node.input], node.clamp))
        case Flatten():
            # Rounded again, which changes nothing: torch finds an 8-bit product only right behind its quantize step.
            return node.output, lambda values: rounding(values[node.input].flatten(1))
        case Pool():
            return node.output, lambda values: rounding(_pooled(node, values[node.input]))
        case Select() if len(form.network.shapes[node.input]) == 3:
            return node.output, lambda values: rounding(_selected(node, values[node.input]))
        case _:
            step = token_step(node, keep=lambda name, floats: _kept(held, name, _copied(floats)))
            if step is None:
                raise ModelError(f"{name}: expected a model of convolutions or an encoder, got node '{node.name}'")
            return node.output, step


def _selected(node: Select, images: Any) -> Any:
    """Return the channels of a Select; those of zeros stand behind the others while it picks."""
    import torch

    count = images.shape[1]
    if min(node.channels) < 0:
        images = torch.nn.functional.pad(images, (0, 0, 0, 0, 0, 1))
    return images[:, [channel if channel >= 0 else count for channel in node.channels]]


def _over_tokens(network: Network) -> bool:
    return any(len(shape) == 2 for shape in network.shapes.values())


def _written(form: Form, tensor: str) -> Program:
    """Return what is done to a tensor where it is written: its rounding, but over tokens and for logits."""
    bare = tensor in form.network.outputs and tensor not in form.quantized.activations
    if not form.rounds or bare or _over_tokens(form.network):
        return lambda values: values
    return form.rounding(tensor)


def _read(form: Form, tensor: str) -> Program:
    """Return what is done to a tensor where a layer reads it: its rounding over tokens, else nothing."""
    if not form.rounds or not _over_tokens(form.network):
        return lambda values: values
    return form.rounding(tensor)


def _layer(held: Any, node: Conv | Linear, form: Form) -> Callable[[Mapping[str, Any]], Any]:
    import torch

    weight, rounding = form.weight(held, node), _read(form, node.input)
    bias = _kept(held, f"{node.name}.bias", _copied(node.bias))
    functional = torch.nn.functional
    if isinstance(node, Linear):
        return lambda values: _clamped(
            functional.linear(rounding(values[node.input]), weight(), bias()), node.activation
        )
    top, left, bottom, right = node.pads
    alike = (top, left) == (bottom, right)
    geometry = (list(node.strides), [top, left] if alike else [0, 0], list(node.dilations), node.groups)

    def conv(values: Mapping[str, Any]) -> Any:
        source = values[node.input]
        if not alike:
            source = functional.pad(source, (left, right, top, bottom))
        found = functional.conv2d(source, weight(), bias(), *geometry)
        return _clamped(found if node.residual is None else found + values[node.residual], node.activation)

    return conv


def _copied(floats: Floats) -> Any:
    """Return a copy as a tensor."""
    import torch

    return torch.from_numpy(floats.copy())


def _kept(held: Any, name: str, tensor: Any) -> Callable[[], Any]:
    """Give a module a buffer; return a call that reads it."""
    word = name.replace(".", "_").replace(":", "_")
    held.register_buffer(word, tensor)
    return lambda: getattr(held, word)


def _clamped(values: Any, clamp: Clamp | None) -> Any:
    import torch

    functional = torch.nn.functional
    if clamp is None:
        return values
    if clamp == Clamp(0.0, float("inf")):
        return functional.relu(values)
    return functional.hardtanh(values, clamp.low, clamp.high)


def _pooled(node: Pool, values: Any) -> Any:
    import torch

    functional = torch.nn.functional
    if node.kind == "global_average":
        return functional.adaptive_avg_pool2d(values, (1, 1))
    top, left, bottom, right = node.pads
    edges, kernel, strides = (left, right, top, bottom), list(node.kernel), list(node.strides)
    alike = (top, left) == (bottom, right)
    if node.kind == "max":
        padded = values if alike else functional.pad(values, edges, value=-float("inf"))
        return functional.max_pool2d(padded, kernel, strides, [top, left] if alike else 0)
    return functional.avg_pool2d(
        values, kernel, strides, [top, left] if alike else 0, count_include_pad=node.count_include_pad
    )
