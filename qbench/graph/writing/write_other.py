"""How the nodes that are neither layers nor clamps are spelled in ONNX, in any operator set from 11 on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qbench.graph.nodes import (
    Attention,
    ChannelAffine,
    Concat,
    DepthToSpace,
    Hadamard,
    ImageNorm,
    Interpolate,
    LayerNorm,
    Node,
    Resize,
    Select,
    Shape,
    Softmax,
    TokenMean,
    Unary,
)
from qbench.graph.writing.builder import Builder

_PLAIN = {
    "abs": "Abs", "erf": "Erf", "exp": "Exp", "log": "Log", "reciprocal": "Reciprocal", "sigmoid": "Sigmoid",
    "softplus": "Softplus", "softsign": "Softsign", "sqrt": "Sqrt", "tanh": "Tanh",
}  # fmt: skip
_WITH_ATTRIBUTES = {
    "celu": ("Celu", ("alpha",)), "elu": ("Elu", ("alpha",)), "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
    "leaky_relu": ("LeakyRelu", ("alpha",)), "selu": ("Selu", ("alpha", "gamma")),
    "thresholded_relu": ("ThresholdedRelu", ("alpha",)),
}  # fmt: skip


def write_other(builder: Builder, node: Node, shapes: Mapping[str, Shape]) -> None:
    """Add a node of the network as one ONNX node or several."""
    match node:
        case Concat():
            builder.op("Concat", node.inputs, node.output, name=node.name, axis=_axis(shapes[node.output]))
        case Select():
            _select(builder, node, shapes[node.input])
        case ChannelAffine():
            _affine(builder, node, shapes[node.input])
        case Unary():
            _unary(builder, node)
        case Resize():
            scales = builder.constant(f"{node.name}.scales", np.asarray([1, 1, *node.factors], np.float32))
            roi = builder.constant(f"{node.name}.roi", np.zeros(0, np.float32))
            builder.op(
                "Resize", [node.input, roi, scales], node.output, name=node.name, mode="nearest",
                coordinate_transformation_mode="asymmetric", nearest_mode="floor",
            )  # fmt: skip
        case Interpolate():
            _interpolate(builder, node, shapes[node.input])
        case DepthToSpace():
            builder.op(
                "DepthToSpace", [node.input], node.output, name=node.name, blocksize=node.block, mode="CRD"
            )  # fmt: skip
        case TokenMean():
            _token_mean(builder, node)
        case Softmax():
            builder.op("Softmax", [node.input], node.output, name=node.name, axis=len(shapes[node.input]))
        case Hadamard():
            _hadamard(builder, node, shapes[node.input])
        case LayerNorm():
            _layer_norm(builder, node)
        case ImageNorm():
            _image_norm(builder, node, shapes[node.input])
        case Attention():
            _attention(builder, node, shapes)
        case _:
            raise AssertionError(f"no spelling of {type(node).__name__}")


def _select(builder: Builder, node: Select, shape: Shape) -> None:
    """Add a Gather; a Pad where zeros stand around all channels; a Pad before the Gather where they stand elsewhere."""
    axis, count = _axis(shape), shape[_axis(shape) - 1]
    channels = np.asarray(node.channels, np.int64)
    real = np.flatnonzero(channels >= 0)

    def pad(output: str, name: str, before: int, after: int) -> str:
        amounts = np.zeros((2, len(shape) + 1), np.int64)
        amounts[:, axis] = before, after
        return builder.op("Pad", [node.input, builder.constant(f"{name}.pads", amounts.reshape(-1))], output, name=name)

    if len(real) < len(channels) and len(real) == count and np.array_equal(channels[real[0] :][:count], range(count)):
        pad(node.output, node.name, int(real[0]), len(channels) - count - int(real[0]))
        return
    source = node.input
    if len(real) < len(channels):
        source = pad(f"{node.name}:with_zeros", f"{node.name}.zeros", 0, 1)
        channels = np.where(channels < 0, count, channels)
    indices = builder.constant(f"{node.name}.channels", channels)
    builder.op("Gather", [source, indices], node.output, name=node.name, axis=axis)


def _hadamard(builder: Builder, node: Hadamard, shape: Shape) -> None:
    """Add a product with the matrix of one block, between two changes of shape."""
    sizes = {"blocks": (0, *shape[:-1], shape[-1] // node.block, node.block), "whole": (0, *shape)}
    cut, whole = (
        builder.constant(f"{node.name}.{name}", np.asarray([abs(size) for size in sizes[name]], np.int64))
        for name in sizes
    )
    rotation = builder.constant(f"{node.name}.matrix", node.matrix)
    blocks = builder.op("Reshape", [node.input, cut], f"{node.name}:blocks")
    product = builder.op("MatMul", [blocks, rotation], f"{node.name}:product")
    builder.op("Reshape", [product, whole], node.output, name=node.name)


def _token_mean(builder: Builder, node: TokenMean) -> None:
    if builder.opset >= 18:
        axes = builder.constant(f"{node.name}.axes", np.asarray([1], np.int64))
        builder.op("ReduceMean", [node.input, axes], node.output, name=node.name, keepdims=0)
        return
    builder.op("ReduceMean", [node.input], node.output, name=node.name, axes=[1], keepdims=0)


def _axis(shape: Shape) -> int:
    return 1 if len(shape) == 3 else len(shape)


def _number(builder: Builder, name: str, value: float) -> str:
    return builder.constant(name, np.asarray(value, np.float32))


def _interpolate(builder: Builder, node: Interpolate, shape: Shape) -> None:
    factors = [size / old for size, old in zip(node.size, shape[1:], strict=True)]
    scales = builder.constant(f"{node.name}.scales", np.asarray([1, 1, *factors], np.float32))
    roi = builder.constant(f"{node.name}.roi", np.zeros(0, np.float32))
    builder.op(
        "Resize", [node.input, roi, scales], node.output, name=node.name, mode="linear",
        coordinate_transformation_mode=node.coordinates,
    )  # fmt: skip


def _affine(builder: Builder, node: ChannelAffine, shape: Shape) -> None:
    tail = (1, 1) if len(shape) == 3 else ()
    scale = builder.constant(f"{node.name}.scale", node.scale.reshape(-1, *tail))
    offset = builder.constant(f"{node.name}.offset", node.offset.reshape(-1, *tail))
    out = f"{node.name}:pre_clamp" if node.activation else node.output
    builder.op("Mul", [node.input, scale], f"{node.name}:scaled", name=f"{node.name}.scale")
    builder.op("Add", [f"{node.name}:scaled", offset], out, name=node.name)
    if node.activation is not None:
        builder.clamp(node.activation, out, node.output, name=f"{node.name}.clamp")


def _unary(builder: Builder, node: Unary) -> None:
    x, y, name = node.input, node.output, node.name
    if node.function in _PLAIN:
        builder.op(_PLAIN[node.function], [x], y, name=name)
        return
    if node.function in _WITH_ATTRIBUTES:
        op, keys = _WITH_ATTRIBUTES[node.function]
        builder.op(op, [x], y, name=name, **dict(zip(keys, node.parameters, strict=True)))
        return

    if node.function == "power":
        builder.op("Pow", [x, _number(builder, f"{name}.exponent", node.parameters[0])], y, name=name)
        return

    def inner(op: str, *inputs: str, of: str, **attributes: float) -> str:
        return builder.op(op, inputs, f"{name}:{of}", name=f"{name}.{of}", **attributes)

    match node.function:
        case "hard_swish":
            gate = inner("HardSigmoid", x, of="gate", alpha=1 / 6, beta=0.5)
        case "silu":
            (alpha,) = node.parameters
            scaled = x if alpha == 1 else inner("Mul", x, _number(builder, f"{name}.alpha", alpha), of="scaled")
            gate = inner("Sigmoid", scaled, of="gate")
        case "mish":
            gate = inner("Tanh", inner("Softplus", x, of="softplus"), of="gate")
        case "gelu":
            scaled = inner("Mul", x, _number(builder, f"{name}.root_half", math.sqrt(0.5)), of="scaled")
            gate = _half_of_one_plus(builder, name, inner("Erf", scaled, of="erf"))
        case "gelu_tanh":
            cube = inner("Mul", inner("Mul", x, x, of="square"), x, of="cube")
            part = inner("Mul", cube, _number(builder, f"{name}.cubic", 0.044715), of="part")
            root = _number(builder, f"{name}.root", math.sqrt(2 / math.pi))
            bent = inner("Mul", inner("Add", x, part, of="sum"), root, of="bent")
            gate = _half_of_one_plus(builder, name, inner("Tanh", bent, of="tanh"))
        case _:
            raise AssertionError(f"no spelling of {node.function}")
    builder.op("Mul", [x, gate], y, name=name)


def _half_of_one_plus(builder: Builder, name: str, source: str) -> str:
    one, half = _number(builder, f"{name}.one", 1.0), _number(builder, f"{name}.half", 0.5)
    more = builder.op("Add", [source, one], f"{name}:plus_one", name=f"{name}.plus_one")
    return builder.op("Mul", [more, half], f"{name}:gate", name=f"{name}.gate")


def _image_norm(builder: Builder, node: ImageNorm, shape: Shape) -> None:
    """Add a LayerNorm between two transposes; an InstanceNormalization, of groups between two reshapes."""
    name, source = node.name, node.input
    if node.groups == 0:
        last, normal = f"{name}:last", f"{name}:normal"
        builder.op("Transpose", [source], last, name=f"{name}.last", perm=(0, 2, 3, 1))
        _layer_norm(builder, LayerNorm(name, last, normal, node.scale, node.offset, node.epsilon))
        builder.op("Transpose", [normal], node.output, name=f"{name}.first", perm=(0, 3, 1, 2))
        return
    own = node.groups == shape[0]
    scale, offset = (node.scale, node.offset) if own else (np.full(node.groups, v, np.float32) for v in (1, 0))
    numbers = [builder.constant(f"{name}.unit.scale", scale), builder.constant(f"{name}.unit.offset", offset)]
    if own:
        builder.op("InstanceNormalization", [source, *numbers], node.output, name=name, epsilon=node.epsilon)
        return

    def reshaped(tensor: str, what: str, sizes: tuple[int, ...]) -> str:
        constant = builder.constant(f"{name}.{what}.sizes", np.asarray([0, *sizes], np.int64))
        return builder.op("Reshape", [tensor, constant], f"{name}:{what}", name=f"{name}.{what}")

    grouped = reshaped(source, "groups", (node.groups, -1))
    unit = builder.op(
        "InstanceNormalization", [grouped, *numbers], f"{name}:unit", name=f"{name}.unit", epsilon=node.epsilon
    )  # fmt: skip
    factors, terms = (
        builder.constant(f"{name}.{what}", values[:, None, None])
        for what, values in (("scale", node.scale), ("offset", node.offset))
    )
    scaled = builder.op("Mul", [reshaped(unit, "image", shape), factors], f"{name}:scaled", name=f"{name}.scaled")
    builder.op("Add", [scaled, terms], node.output, name=name)


def _layer_norm(builder: Builder, node: LayerNorm) -> None:
    name = node.name
    scale = builder.constant(f"{name}.scale", node.scale)
    offset = builder.constant(f"{name}.offset", node.offset)
    if node.centred and builder.opset >= 17:
        builder.op(
            "LayerNormalization", [node.input, scale, offset], node.output, name=name, axis=-1, epsilon=node.epsilon
        )
        return

    def inner(op: str, *inputs: str, of: str, **attributes: int | tuple[int, ...]) -> str:
        return builder.op(op, inputs, f"{name}:{of}", name=f"{name}.{of}", **attributes)

    def mean(tensor: str, of: str) -> str:
        if builder.opset < 18:
            return inner("ReduceMean", tensor, of=of, axes=(-1,), keepdims=1)
        axes = builder.constant(f"{name}.axes", np.asarray([-1], np.int64))
        return inner("ReduceMean", tensor, axes, of=of, keepdims=1)

    centred = inner("Sub", node.input, mean(node.input, "mean"), of="centred") if node.centred else node.input
    variance = mean(inner("Mul", centred, centred, of="square"), "variance")
    spread = inner("Add", variance, _number(builder, f"{name}.epsilon", node.epsilon), of="spread")
    scaled = inner("Mul", inner("Div", centred, inner("Sqrt", spread, of="deviation"), of="unit"), scale, of="scaled")
    builder.op("Add", [scaled, offset], node.output, name=name)


def _attention(builder: Builder, node: Attention, shapes: Mapping[str, Shape]) -> None:
    name = node.name

    def inner(op: str, *inputs: str, of: str, **attributes: int | tuple[int, ...]) -> str:
        return builder.op(op, inputs, f"{name}:{of}", name=f"{name}.{of}", **attributes)

    tokens, others = (shapes[tensor][0] // node.windows for tensor in (node.query, node.key))

    def sizes(of: str, *numbers: int) -> str:
        return builder.constant(f"{name}.{of}", np.asarray(numbers, np.int64))

    windows = node.windows > 1
    split = sizes(
        "split", *((-1, tokens, node.heads, shapes[node.query][1] // node.heads) if windows else (0, 0, node.heads, -1))
    )
    join = sizes("join", *((-1, *shapes[node.output]) if windows else (0, 0, -1)))

    def heads(tensor: str, of: str, order: tuple[int, ...]) -> str:
        return inner("Transpose", inner("Reshape", tensor, split, of=f"{of}_split"), of=of, perm=order)

    query, value = heads(node.query, "query", (0, 2, 1, 3)), heads(node.value, "value", (0, 2, 1, 3))
    scores = inner("MatMul", query, heads(node.key, "key", (0, 2, 3, 1)), of="scores")
    scores = inner("Mul", scores, _number(builder, f"{name}.scale", node.scale), of="scaled")
    if node.mask is not None:
        scores = inner("Add", scores, node.mask, of="masked")
    if node.bias is not None:
        bias = builder.constant(f"{name}.bias", node.bias)
        if windows:
            whole = sizes("windows", -1, node.windows, node.heads, tokens, others)
            scores = inner("Add", inner("Reshape", scores, whole, of="in_windows"), bias, of="biased")
            scores = inner("Reshape", scores, sizes("scores", -1, node.heads, tokens, others), of="of_windows")
        else:
            scores = inner("Add", scores, bias, of="biased")
    mixed = inner("MatMul", inner("Softmax", scores, of="softmax", axis=3), value, of="mixed")
    builder.op("Reshape", [inner("Transpose", mixed, of="back", perm=(0, 2, 1, 3)), join], node.output, name=name)
