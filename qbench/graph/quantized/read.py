"""Read an already quantized ONNX file: the network in float, its layers' codes, its tensors' parameters.

Both forms are read: QuantizeLinear and DequantizeLinear around float operators, and operators on integers (QLinearConv,
QLinearMatMul, QGemm, ConvInteger, MatMulInteger and onnxruntime's own). Parameters that a file computes anew for every
input (DynamicQuantizeLinear) cannot be known in advance: such tensors have none here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeGuard

import numpy as np

from qbench.core.spec import FLOAT, LayerSpec
from qbench.core.tensor import QParams, QTensor
from qbench.errors import ModelError
from qbench.graph.network import DepthToSpace, Network
from qbench.graph.nodes import Flatten, Given, Node, Pool, Resize, Select
from qbench.graph.onnx.assemble import Names
from qbench.graph.onnx.bound import with_bound
from qbench.graph.onnx.file import read_file
from qbench.graph.onnx.liveness import live_nodes
from qbench.graph.onnx.read import named_error, network_and_names
from qbench.graph.onnx.survey import survey
from qbench.graph.quantized.codes import Codes, layer_codes
from qbench.graph.quantized.integer_operators import OPERATORS, SIGNS
from qbench.graph.quantized.saturation import without_container
from qbench.graph.quantized.unquantize import Unquantizer
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.graph.readers import NO_SHAPES


def read_quantized(path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES, residuals: bool = True) -> QuantizedNetwork:
    """Return the quantized network of a file.

    Args:
        path: the file.
        shapes: input -> shape without its batch, where the file leaves sizes free, or the one number that it always is.
        residuals: whether convolutions take in the additions after them. That is faster, and skips the rounding of
            `<layer>:pre_add` that the file asks for; without it the network rounds where the file does.

    Returns:
        The network in float32, with weights as the codes stand for; layer -> its codes, for every layer whose scales
        are a tensor's, an output channel's, or of groups along its depth; tensor -> its parameters, `<layer>:pre_add`
        for what a convolution computes before it adds a residual.

    Raises:
        ModelError: one line with the path; also where nothing in the file is quantized.
    """
    try:
        file, sizes = with_bound(read_file(path), shapes)
        found = survey(file, live_nodes(file), shapes=sizes)
        ask = partial(network_and_names, name=path.stem, shapes=sizes, residuals=residuals)
        maker = Unquantizer(file, found.constants, OPERATORS)
        network, names = ask(maker.run(), fixed=maker.weights.keys())
        bare = without_container(maker.nodes, maker.activations.keys(), names, network.outputs)
        if bare:
            maker = Unquantizer(file, found.constants, OPERATORS, clamp=bare)
            network, names = ask(maker.run(), fixed=maker.weights.keys())
        weights = _weights(network, maker.weights)
        activations = _shared(network, _activations(maker.activations, names))
        if not weights and not activations and not maker.wide:
            raise ModelError("expected quantized tensors, found none: read it as a float network")
    except ModelError as error:
        raise named_error(path, error) from error
    dynamic = sorted({names[tensor] for tensor in maker.dynamic if tensor in names})
    facts = {**network.metadata, **({"dynamic_activations": " ".join(dynamic)} if dynamic else {})}
    return QuantizedNetwork(replace(network, metadata=facts), weights, activations)


def read_kept(
    path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES, residuals: bool = False
) -> QuantizedNetwork | None:
    """Return what a quantized file says, to be run as it is; None where the file holds no codes.

    Args:
        path: the file.
        shapes: input -> shape without its batch, where the file leaves sizes free, or the one number that it always is.
        residuals: see `read_quantized`; without it the network rounds where the file does.

    Raises:
        ModelError: one line with the path.
    """
    if not holds_codes(path):
        return None
    found = read_quantized(path, shapes=shapes, residuals=residuals)
    return replace(found, specs=_specs(found), file=str(path))


def holds_codes(path: Path) -> bool:
    """Return whether a file is quantized already; raise ModelError where it cannot be read."""
    try:
        return any(node.op_type in SIGNS for node in read_file(path).nodes)
    except ModelError as error:
        raise named_error(path, error) from error


def _specs(found: QuantizedNetwork) -> dict[str, LayerSpec]:
    """Return what the file made of every layer."""
    specs = {}
    for layer in found.network.layers:
        codes, params = found.weights.get(layer.name), found.activations.get(found.network.unflattened(layer.input))
        specs[layer.name] = LayerSpec(codes.spec if codes else FLOAT, params.spec if params else FLOAT)
    return specs


def _weights(network: Network, known: Mapping[str, Codes]) -> dict[str, QTensor]:
    found = {layer.name: layer_codes(layer, known[layer.source]) for layer in network.layers if layer.source in known}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _activations(known: Mapping[str, QParams], names: Names) -> dict[str, QParams]:
    """Return the parameters by the network's names; those of tensors that fusing took away are left out."""
    found: dict[str, QParams] = {}
    for tensor, params in known.items():
        name = names.get(tensor)
        if name is not None:
            other = found.setdefault(name, params)
            if other is not params and not _same(other, params):
                raise ModelError(f"tensor '{tensor}' is quantized in two ways, by {other.scale} and {params.scale}")
    return found


def _shared(network: Network, known: dict[str, QParams]) -> dict[str, QParams]:
    """Give tensors without parameters those of what they are made of, or become, where a node changes no value."""
    for node in network.nodes:
        if _keeps_values(node) and node.input in known:
            known.setdefault(node.output, known[node.input])
    for node in reversed(network.nodes):
        if isinstance(node, Flatten) and node.output in known:
            known.setdefault(node.input, known[node.output])
    return known


def _keeps_values(node: Node) -> TypeGuard[Flatten | Select | Resize | DepthToSpace | Pool]:
    return isinstance(node, Flatten | Select | Resize | DepthToSpace) or (isinstance(node, Pool) and node.kind == "max")


def _same(first: QParams, second: QParams) -> bool:
    return (
        first.spec == second.spec
        and np.array_equal(first.scale, second.scale)
        and np.array_equal(first.zero_point, second.zero_point)
    )
