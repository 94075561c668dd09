"""Rewrite a quantized file as the float network that it approximates, and note what was quantized how."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from onnx import NodeProto, TensorProto, helper

from qbench.core.formats import Uniform
from qbench.core.tensor import QParams
from qbench.errors import ModelError
from qbench.graph.nodes import Floats
from qbench.graph.onnx.draft import uncovered
from qbench.graph.onnx.file import Array, File
from qbench.graph.onnx.inference import STANDARD
from qbench.graph.onnx.liveness import live_nodes
from qbench.graph.onnx.tensor_type import DTYPE_NAMES
from qbench.graph.quantized.codes import WIDE, Codes, clipped, tensor_params

MOVES = frozenset({
    "Concat", "Flatten", "Gather", "Identity", "MaxPool", "Pad", "Reshape", "Resize", "Slice", "Split", "Squeeze",
    "Transpose", "Unsqueeze",
})  # fmt: skip
"""Operators that may run on codes, as they change no value."""

SIGNED = frozenset({"Add", "BatchNormalization", "Conv", "ConvTranspose", "Div", "Gemm", "MatMul", "Mul", "Sub"})
"""Operators whose relu or relu6 an exporter may have left out, as codes cannot be below the zero point."""

_CLIP_OF_INPUTS = 11
"""The operator set in which the ends of a Clip became inputs."""

Attributes = dict[str, object]


class Unquantizer:
    """Walks a file once.

    Args:
        file: the file.
        constants: its constants, folded ones too.
        operators: what to do about an operator; the others are kept.
        clamp: float tensors that are kept within the range of their codes by a node of their own.

    Attributes:
        weights: float constant -> the codes that it stands for.
        activations: float tensor -> its parameters.
        dynamic: float tensors whose parameters are computed anew for every input.
        wide: tensors of codes of more than 8 bits, which stand for float tensors within their range.
    """

    def __init__(
        self,
        file: File,
        constants: Mapping[str, Array],
        operators: Mapping[str, Callable[[Unquantizer, NodeProto], None]],
        *,
        clamp: Collection[str] = (),
    ) -> None:
        self._clamp = clamp
        self._bare: set[str] = set()  # those of them that were met
        self._operators = operators
        self._file, self._known = file, dict(constants)
        self.constants: dict[str, Array] = dict(file.constants)
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, Codes] = {}
        self.activations: dict[str, QParams] = {}
        self.dynamic: set[str] = set()
        self.wide: set[str] = set()
        self.real: dict[str, str] = {}  # tensor of codes -> the float tensor that it stands for
        self.dynamic_scales: dict[str, tuple[str, Floats]] = {}  # tensor of a scale -> its tensor, and a factor
        self.sums: dict[str, NodeProto] = {}  # tensor of 32-bit sums -> the operator that makes them
        self._inputs = {port.name: port for port in file.inputs}
        self._makers: dict[str, str] = {}

    def run(self) -> File:
        """Return the float file."""
        for proto in live_nodes(self._file):
            if all(name in self._known for name in proto.output if name) and proto.op_type != "DequantizeLinear":
                self.constants.update({name: self._known[name] for name in proto.output if name})
                continue
            handler = self._operators.get(proto.op_type)
            if handler is not None:
                handler(self, proto)
            else:
                self.keep_or_move(proto)
        outputs = tuple(self.real.get(name, name) for name in self._file.outputs)
        return replace(
            self._file, nodes=tuple(self.nodes), constants=self.constants, inputs=tuple(self._inputs.values()),
            outputs=outputs,
        )  # fmt: skip

    def reader(self, tensor: str) -> NodeProto | None:
        """Return a node that reads a tensor of codes and has its scale and zero point behind it, None without one."""
        for node in self._file.nodes:
            scaled = node.op_type in ("DequantizeLinear", "QGemm") or node.op_type.startswith("QLinear")
            if scaled and tensor in node.input:
                return node
        return None

    def keep_or_move(self, proto: NodeProto) -> None:
        """Let a node stand as it is, or, where it moves codes, move what they stand for."""
        if proto.op_type in MOVES and proto.domain in STANDARD and self._on_codes(proto):
            self.moved(proto, [self.real.get(name, name) for name in proto.input])
        else:
            self.keep(proto)

    def keep(self, proto: NodeProto) -> None:
        """Let a node stand as it is."""
        self.nodes.append(proto)
        self._makers.update(dict.fromkeys(proto.output, proto.op_type))

    def fail(self, proto: NodeProto, why: str) -> ModelError:
        """Return the error that names a node."""
        return uncovered(proto.name or proto.output[0], proto.op_type, why)

    def constant(self, proto: NodeProto, index: int) -> Array:
        """Return a constant input."""
        name = proto.input[index] if index < len(proto.input) else ""
        if name not in self._known:
            raise self.fail(proto, f"expected a constant as input {index}, got '{name}'")
        return self._known[name]

    def is_constant(self, proto: NodeProto, index: int) -> bool:
        """Whether an input is given and constant."""
        return index < len(proto.input) and proto.input[index] in self._known

    def has(self, proto: NodeProto, index: int) -> bool:
        """Whether an input is given."""
        return index < len(proto.input) and proto.input[index] != ""

    def pair(self, proto: NodeProto, index: int) -> tuple[str, Floats, Floats]:
        """Return scale and zero point, inputs `index` and the next: the type of the codes, and both as float32."""
        scale = self.constant(proto, index).astype(np.float32)
        if not self.has(proto, index + 1):
            return "", scale, np.zeros_like(scale)
        zero = self.constant(proto, index + 1)
        if zero.shape != scale.shape and zero.size not in (1, scale.size):
            raise self.fail(proto, f"expected a zero point for each scale {scale.shape}, got {zero.shape}")
        numbers = zero.astype(np.float32)
        return (
            str(zero.dtype),
            scale,
            np.full(scale.shape, numbers.reshape(())) if zero.size == 1 else numbers.reshape(scale.shape),
        )

    def codes(
        self, proto: NodeProto, index: int, scale: Floats, zero: Floats, *, axis: int = 0, block: int = 0
    ) -> Codes:
        """Return a constant input of codes."""
        values = self.constant(proto, index)
        flat = scale.reshape(()) if scale.size == 1 and not block else scale
        offset = zero.reshape(()) if zero.size == 1 and not block else zero
        if flat.ndim and not block and (flat.ndim != 1 or values.shape[axis : axis + 1] != flat.shape):
            raise self.fail(proto, f"scale {flat.shape} does not fit axis {axis} of codes {values.shape}")
        if not (np.isfinite(flat).all() and (flat > 0).all()):
            raise self.fail(proto, "expected scales above 0")
        return Codes(str(values.dtype), values.astype(np.int64), flat, offset, axis, block)

    def weight(self, name: str, codes: Codes) -> str:
        """Add a float constant for codes and return its name."""
        self.weights[name] = codes
        self.add(name, codes.real())
        return name

    def emit(self, op: str, inputs: list[str], output: str, proto: NodeProto, **attributes: object) -> str:
        """Add a float operator and return what it writes."""
        made = helper.make_node(op, inputs, [output], name=proto.name)
        made.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(attributes.items()))
        self.nodes.append(made)
        self._makers[output] = op
        return output

    def input_real(self, proto: NodeProto, index: int, kind: str, scale: Floats, zero: Floats) -> str:
        """Return the float tensor of a computed input of codes; an input of the file becomes float32."""
        name = str(proto.input[index])
        if name in self.real:
            return self.real[name]
        port = self._inputs.get(name)
        if port is None:
            raise self.fail(proto, f"reads codes '{name}', which no quantizing operator writes")
        self._inputs[name] = replace(port, dtype=TensorProto.FLOAT)
        if (kind or _name(port.dtype)) in WIDE:
            self.real[name] = name
            self.wide.add(name)
            return name
        self.activations[name] = tensor_params(kind or _name(port.dtype), scale, zero, f"input '{name}'")
        self.real[name] = name
        return name

    def quantized(self, source: str, output: str, params: QParams) -> None:
        """Note that the codes `output` stand for the float tensor `source`, below whose zero point nothing is kept."""
        kind = params.spec.format
        assert isinstance(kind, Uniform)
        low, high = (float(params.scale) * (end - float(params.zero_point)) for end in (kind.qmin, kind.qmax))
        if float(params.zero_point) == kind.qmin and self._makers.get(source) in SIGNED:
            source = self._clip(source, f"{source}:relu", 0.0, high)
        if source in self.activations and not _same(self.activations[source], params):
            again = f"{output}:real"
            self.nodes.append(helper.make_node("Identity", [source], [again]))
            source = again
        if source in self._clamp:
            self.activations[source] = params  # kept where the clamp stays a node of its own
            source = self.clamped(source, output, low, high)
            self._bare.add(source)
        self.activations[source] = params
        self.real[output] = source

    def clamped(self, source: str, output: str, low: float, high: float) -> str:
        """Note that the codes `output` stand for `source` kept within low..high; return the name of that tensor."""
        self.real[output] = self._clip(source, f"{output}:clamped", low, high)
        return self.real[output]

    def _clip(self, source: str, output: str, low: float, high: float) -> str:
        """Add a Clip, in the form that the file's operator set has, and return what it writes."""
        ends = {"min": np.float32(low), "max": np.float32(high)}
        if self._file.opset < _CLIP_OF_INPUTS:
            made = helper.make_node("Clip", [source], [output], name=output, min=float(low), max=float(high))
        else:
            for key, value in ends.items():
                self.add(f"{output}:{key}", np.asarray(value))
            made = helper.make_node("Clip", [source, *(f"{output}:{key}" for key in ends)], [output], name=output)
        self.nodes.append(made)
        return output

    def _on_codes(self, proto: NodeProto) -> bool:
        return any(name in self.real and name not in self._inputs for name in proto.input)

    def add(self, name: str, value: Array) -> None:
        """Add a constant."""
        self.constants[name] = self._known[name] = value

    def moved(self, proto: NodeProto, inputs: Sequence[str]) -> None:
        """Let an operator that moves codes move what they stand for, which is `inputs`."""
        changed = NodeProto()
        changed.CopyFrom(proto)
        changed.input[:] = inputs
        for index, name in enumerate(proto.output):
            changed.output[index] = f"{name}:real"
            self.real[name] = f"{name}:real"
            source = self.activations.get(changed.input[0])
            if source is not None:
                self.activations[f"{name}:real"] = source
        self.nodes.append(changed)
        self._makers.update(dict.fromkeys(changed.output, proto.op_type))

    def clip(self, proto: NodeProto, low: float, high: float) -> None:
        """Let a Clip of codes narrow the range of the tensor that they stand for."""
        source = self.real[proto.input[0]]
        params = clipped(self.activations[source], low, high)
        output = proto.output[0]
        self.activations[source] = params
        self.real[output] = source
        if source in self._bare:
            ends = (float(params.scale) * (end - float(params.zero_point)) for end in (low, high))
            self.activations[self.clamped(source, output, *ends)] = params


def _name(dtype: int) -> str:
    return DTYPE_NAMES[dtype]


def _same(first: QParams, second: QParams) -> bool:
    return first.spec == second.spec and bool(first.scale == second.scale and first.zero_point == second.zero_point)


def attributes_of(proto: NodeProto) -> dict[str, object]:
    """Return a node's attributes by name."""
    return {entry.name: helper.get_attribute_value(entry) for entry in proto.attribute}


def integer_of(proto: NodeProto, name: str, default: int) -> int:
    """Return an attribute of one whole number."""
    return next((int(entry.i) for entry in proto.attribute if entry.name == name), default)
