"""A quantized file for the runtime that it was made for: its own nodes, between float inputs and float outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from qbench.core.formats import Uniform
from qbench.core.tensor import QParams
from qbench.errors import ModelError
from qbench.graph.quantized_network import QuantizedNetwork

_CODES: Mapping[int, type[np.generic]] = {int(TensorProto.UINT8): np.uint8, int(TensorProto.INT8): np.int8}


def original_bytes(quantized: QuantizedNetwork) -> bytes:
    """Return the file that a network was read from, for any number of images.

    Not one of its nodes is changed. Inputs and outputs of codes get the QuantizeLinear or DequantizeLinear that makes
    them float32, as the network that was read has them; a batch that the file fixes is left free.

    Raises:
        ModelError: the file is gone, or its inputs or outputs are of another kind.
    """
    path = Path(quantized.file)
    try:
        model = onnx.load(path)  # with the numbers that lie in other files
    except Exception as error:  # onnx and protobuf raise what they like for a file that changed since it was read
        raise ModelError(f"{path}: cannot be read again: {str(error).splitlines()[0]}") from error
    graph, names = model.graph, {tensor.name for tensor in model.graph.initializer}
    for value in [value for value in graph.input if value.name not in names]:
        _free_batch(value)
        if value.type.tensor_type.elem_type in _CODES:
            _float_input(model, value, quantized.activations)
    for value in graph.output:
        _free_batch(value)
        if value.type.tensor_type.elem_type in _CODES:
            _float_output(model, value, quantized)
    _forget_sizes(graph.value_info)
    content: bytes = model.SerializeToString()
    return content


def _free_batch(value: ValueInfoProto) -> None:
    shape = value.type.tensor_type.shape
    if shape.dim:
        shape.dim[0].ClearField("dim_value")
        shape.dim[0].dim_param = "batch"


def _forget_sizes(values: Iterable[ValueInfoProto]) -> None:
    """Let the runtime infer the sizes between: those that the file notes may be of the batch that it fixed."""
    for value in values:
        value.type.tensor_type.ClearField("shape")


def _float_input(model: ModelProto, value: ValueInfoProto, known: Mapping[str, QParams]) -> None:
    name, kind = value.name, value.type.tensor_type.elem_type
    params = known.get(name)
    if params is None:
        raise ModelError(f"input '{name}': expected parameters of its codes, got none")
    codes = f"{name}:codes_of_file"
    for node in model.graph.node:
        node.input[:] = [codes if entry == name else entry for entry in node.input]
    made = helper.make_node("QuantizeLinear", [name, *_constants(model, codes, params, kind)], [codes])
    model.graph.node.insert(0, made)
    value.type.tensor_type.elem_type = TensorProto.FLOAT


def _float_output(model: ModelProto, value: ValueInfoProto, quantized: QuantizedNetwork) -> None:
    place = [entry.name for entry in model.graph.output].index(value.name)
    params = quantized.activations.get(quantized.network.outputs[place])
    if params is None:
        raise ModelError(f"output '{value.name}': expected parameters of its codes, got none")
    codes = f"{value.name}:codes_of_file"
    for node in model.graph.node:
        node.input[:] = [codes if entry == value.name else entry for entry in node.input]
        node.output[:] = [codes if entry == value.name else entry for entry in node.output]
    constants = _constants(model, codes, params, value.type.tensor_type.elem_type)
    model.graph.node.append(helper.make_node("DequantizeLinear", [codes, *constants], [value.name]))
    value.type.tensor_type.elem_type = TensorProto.FLOAT


def _constants(model: ModelProto, name: str, params: QParams, kind: int) -> list[str]:
    """Add scale and zero point; return their names."""
    assert isinstance(params.spec.format, Uniform)
    numbers = {
        f"{name}:scale": np.asarray(params.scale, np.float32).reshape(()),
        f"{name}:zero_point": np.asarray(params.zero_point).reshape(()).astype(_CODES[kind]),
    }
    model.graph.initializer.extend(numpy_helper.from_array(array, label) for label, array in numbers.items())
    return [*numbers]
