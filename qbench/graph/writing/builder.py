"""A small writer of ONNX graphs: nodes, initializers, one dynamic batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from qbench.graph.nodes import Clamp, Conv, Foreign, Pool, Shape

OPSET = 17
IR_VERSION = 8  # that of operator set 17: any onnxruntime since 1.12 reads it
Attribute = int | float | str | Sequence[int]


class Builder:
    """Collects nodes and initializers, then gives a model's bytes."""

    def __init__(self, name: str, *, opset: int = OPSET) -> None:
        self._name, self.opset = name, opset
        self._domains: dict[str, int] = {"": opset}
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add an initializer, once a name, and return its name."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def op(self, op: str, inputs: Sequence[str], output: str, *, name: str = "", **attributes: Attribute) -> str:
        """Add a node and return the tensor that it writes."""
        self.operator(op, inputs, [output], name=name or output, **attributes)
        return output

    def operator(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], *, name: str, **attributes: Attribute
    ) -> None:
        """Add a node that writes several tensors."""
        node = helper.make_node(op, list(inputs), list(outputs), name=name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(attributes.items()))
        self._nodes.append(node)

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

    def foreign(self, node: Foreign) -> None:
        """Add the operators of a Foreign, the tensors inside named after it."""
        model = onnx.load_from_string(node.model)
        names = dict(zip((value.name for value in model.graph.input), node.inputs, strict=True))
        names |= dict(zip((value.name for value in model.graph.output), node.outputs, strict=True))
        for tensor in model.graph.initializer:
            names[tensor.name] = tensor.name = f"{node.name}/{tensor.name}"
            self._constants[tensor.name] = tensor
        for proto in model.graph.node:
            _rename(proto, names, f"{node.name}/")
            proto.name = f"{node.name}/{proto.name or proto.output[0]}"
            self._nodes.append(proto)
        self._nodes[-1].name = node.name  # reading it back names the whole after its last operator
        self._domains |= {entry.domain: entry.version for entry in model.opset_import if entry.domain}

    def to_bytes(
        self, *, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], metadata: Mapping[str, str],
        dtypes: Mapping[str, str] = MappingProxyType({}), unbatched: Collection[str] = (),
    ) -> bytes:  # fmt: skip
        """Return the model; shapes are without the batch, which is left free, but those of `unbatched` tensors."""

        def port(name: str, shape: Shape) -> onnx.ValueInfoProto:
            sizes: list[int | str | None] = [size if size >= 0 else None for size in shape]
            whole = sizes if name in unbatched else ["batch", *sizes]
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtypes[name])) if name in dtypes else TensorProto.FLOAT
            return helper.make_tensor_value_info(name, kind, whole)

        given, made = ([port(*end) for end in ends.items()] for ends in (inputs, outputs))
        graph = helper.make_graph(self._nodes, self._name, given, made, list(self._constants.values()))
        imports = [helper.make_opsetid(domain, version) for domain, version in self._domains.items()]
        model = helper.make_model(graph, producer_name="qbench", opset_imports=imports)
        model.ir_version = IR_VERSION if self.opset <= OPSET else helper.find_min_ir_version_for(imports[:1])
        helper.set_model_props(model, dict(metadata))
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _rename(proto: NodeProto, names: dict[str, str], prefix: str) -> None:
    """Rename a node's tensors: those of `names` so, all others by a prefix; bodies see the outer names too."""
    for tensors in (proto.input, proto.output):
        tensors[:] = [name and names.setdefault(name, prefix + name) for name in tensors]
    for entry in proto.attribute:
        for body in (*([entry.g] if entry.HasField("g") else []), *entry.graphs):
            _rename_body(body, names, prefix)


def _rename_body(body: onnx.GraphProto, names: dict[str, str], prefix: str) -> None:
    own = dict(names)
    for value in (*body.input, *body.initializer):
        own[value.name] = value.name = f"{prefix}{body.name}/{value.name}"
    for proto in body.node:
        _rename(proto, own, prefix)
    for value in body.output:
        value.name = own.get(value.name, value.name)
    del body.value_info[:]
