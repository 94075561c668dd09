"""A small writer of ONNX graphs: nodes, initializers, one dynamic batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from qbench.graph.network import Clamp, Conv, Pool, Shape

OPSET = 17
IR_VERSION = 8  # that of operator set 17: any onnxruntime since 1.12 reads it
Attribute = int | float | str | Sequence[int]


class Builder:
    """Collects nodes and initializers, then gives a model's bytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add an initializer, once a name, and return its name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def op(self, op: str, inputs: Sequence[str], output: str, *, name: str = "", **attributes: Attribute) -> str:
        """Add a node and return the tensor that it writes."""
        node = helper.make_node(op, list(inputs), [output], name=name or output)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(attributes.items()))
        self._nodes.append(node)
        return output

    def clamp(self, clamp: Clamp, source: str, output: str, *, name: str) -> str:
        """Add a Relu, or a Clip with the bounds that are finite."""
        if clamp == Clamp(0.0, np.inf):
            return self.op("Relu", [source], output, name=name)
        bounds = {"min": clamp.low, "max": clamp.high}
        given = [
            self.constant(f"{name}.{key}", np.asarray(value, np.float32)) if np.isfinite(value) else ""
            for key, value in bounds.items()
        ]
        return self.op("Clip", [source, *given], output, name=name)

    def conv(self, node: Conv, inputs: Sequence[str], output: str) -> str:
        """Add the bare convolution of a node."""
        return self.op(
            "Conv", inputs, output, name=node.name, kernel_shape=node.weight.shape[2:], strides=node.strides,
            pads=node.pads, dilations=node.dilations, group=node.groups,
        )  # fmt: skip

    def pool(self, node: Pool, source: str, output: str) -> str:
        """Add a pooling node."""
        if node.kind == "global_average":
            return self.op("GlobalAveragePool", [source], output, name=node.name)
        shape = {"kernel_shape": node.kernel, "strides": node.strides, "pads": node.pads}
        if node.kind == "max":
            return self.op("MaxPool", [source], output, name=node.name, **shape)
        include = int(node.count_include_pad)
        return self.op("AveragePool", [source], output, name=node.name, count_include_pad=include, **shape)

    def to_bytes(
        self, *, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], metadata: Mapping[str, str]
    ) -> bytes:
        """Return the model; shapes are without the batch, which is left free."""
        given, made = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape]) for name, shape in ends.items()]
            for ends in (inputs, outputs)
        )
        graph = helper.make_graph(self._nodes, self._name, given, made, list(self._constants.values()))
        model = helper.make_model(graph, producer_name="qbench", opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        helper.set_model_props(model, dict(metadata))
        content: bytes = model.SerializeToString(deterministic=True)
        return content
