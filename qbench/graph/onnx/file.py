"""From bytes on disk to a checked ONNX graph: what is missing, damaged or foreign is reported in one line."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from qbench.errors import ModelError
from qbench.graph.nodes import MOST_ELEMENTS
from qbench.graph.onnx.inlining import inline_functions

SPARE_BYTES = 64 * 2**20
OLDEST_OPSET = 7  # before it, Add and Gemm broadcast by an attribute of their own
_TYPES = {number: name for name, number in TensorProto.DataType.items()}
Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Port:
    """An input of the file: sizes are numbers, or the names ("" where they have none) of what is free."""

    name: str
    dtype: int
    dims: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A graph, its constants read.

    Args:
        model: the message as it was read (external weights loaded, functions put in the place of their calls).
        opset: version of the standard operators.
        nodes: all nodes, in the file's order.
        constants: initializers.
        inputs: the inputs that are no constants.
        outputs: names of the outputs.
        sha256: of the file, followed by the files of external weights.
        notes: what reading changed, for the network's metadata.
    """

    model: ModelProto
    opset: int
    nodes: tuple[NodeProto, ...]
    constants: dict[str, Array]
    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    sha256: str
    notes: Mapping[str, str] = field(default_factory=dict)


def read_file(path: Path) -> File:
    """Return the graph of an ONNX file; raise ModelError, without the path, when it is not one that qbench can read."""
    content = read_bytes(path)
    model = parse(content)
    digest = hashlib.sha256(content)
    for external in external_files(model, path.parent):
        digest.update(read_bytes(external))
    return as_file(model, path.parent, digest.hexdigest())


def as_file(model: ModelProto, folder: Path, sha256: str) -> File:
    """Return a parsed model as a File; `folder` holds its external weights."""
    model = inline_functions(model)
    tensors = {tensor.name: _array(tensor, folder) for tensor in model.graph.initializer}
    inputs = tuple(_port(value) for value in model.graph.input if value.name not in tensors)
    outputs = tuple(value.name for value in model.graph.output)
    for names, what in (([port.name for port in inputs], "input"), (outputs, "output")):
        double = next((name for name in names if list(names).count(name) > 1 or not name), None)
        if double is not None:
            raise ModelError(f"{what} '{double}' appears twice, or has no name")
    return File(
        model=model, opset=_opset(model), nodes=tuple(model.graph.node), constants=tensors, inputs=inputs,
        outputs=outputs, sha256=sha256,
    )  # fmt: skip


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; raise ModelError when that fails."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError("no such file") from None
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from error


def parse(content: bytes) -> ModelProto:
    """Return the model that bytes spell; raise ModelError where they do not."""
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise ModelError(f"not an ONNX file, or a truncated one ({len(content)} bytes)") from None
    if not model.graph.node or not model.graph.output or not model.opset_import:
        raise ModelError(f"not an ONNX file, or a truncated one ({len(content)} bytes): it holds no whole graph")
    if not all(isinstance(word, str) for word in _words(model)):  # what is not UTF-8 comes as bytes
        raise ModelError("damaged: a name in its graph is not UTF-8")
    return model


def _words(model: ModelProto) -> Iterator[str | bytes]:
    graph = model.graph
    yield from (word for entry in model.metadata_props for word in (entry.key, entry.value))
    yield from (value.name for value in (*graph.initializer, *graph.input, *graph.output))
    yield from (entry.value for tensor in graph.initializer for entry in tensor.external_data)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (entry.name for entry in node.attribute)


def _opset(model: ModelProto) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions and not any(node.domain in ("", "ai.onnx") for node in model.graph.node):
        return OLDEST_OPSET
    newest = onnx.defs.onnx_opset_version()
    if not versions or not OLDEST_OPSET <= versions[0] <= newest:
        raise ModelError(f"expected operator set {OLDEST_OPSET}..{newest}, got {versions[0] if versions else 'none'}")
    return int(versions[0])


def external_files(model: ModelProto, folder: Path) -> list[Path]:
    """Return the files that hold weights, once each; they must lie in the folder of the model."""
    found: dict[Path, None] = {}
    needed_bytes = 0
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        needed_bytes += _size_bytes(tensor)
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        target = folder if "\0" in location else (folder / location).resolve()
        if not location or target == folder or not target.is_relative_to(folder.resolve()):
            raise ModelError(f"initializer '{tensor.name}' lies outside the model's folder: '{location}'")
        if not target.is_file():
            raise ModelError(f"initializer '{tensor.name}': no such file '{location}' beside the model")
        found[target] = None
    file_bytes = sum(target.stat().st_size for target in found)
    if needed_bytes > 2 * file_bytes + SPARE_BYTES:  # weights may be shared, but not so often that they fill the memory
        raise ModelError(f"its initializers need {needed_bytes} bytes, the files beside it hold {file_bytes}")
    return list(found)


def _size_bytes(tensor: TensorProto) -> int:
    if any(size < 0 for size in tensor.dims):
        raise ModelError(f"initializer '{tensor.name}': expected sizes of at least 0, got {list(tensor.dims)}")
    length = next((entry.value for entry in tensor.external_data if entry.key == "length"), "")
    return max(int(math.prod(tensor.dims)), int(length) if length.isdecimal() else 0)


def _array(tensor: TensorProto, folder: Path) -> Array:
    _size_bytes(tensor)
    if tensor.data_type == TensorProto.STRING:
        return np.asarray(tensor.string_data, dtype=np.object_)
    try:
        array: Array = numpy_helper.to_array(tensor, base_dir=str(folder))
    except (ValueError, TypeError, KeyError, OSError, MemoryError, onnx.checker.ValidationError) as error:
        raise ModelError(f"initializer '{tensor.name}' is damaged: {_one_line(error)}") from error
    return array


def inner_array(tensor: TensorProto) -> Array:
    """Return a tensor that lies in an attribute or in a body; raise ModelError where it is damaged, or elsewhere."""
    if tensor.data_location == TensorProto.EXTERNAL:
        raise ModelError(f"tensor '{tensor.name}': expected it inside the file, as it is no initializer of the graph")
    return _array(tensor, Path())


def _one_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0][:200]


def _port(value: onnx.ValueInfoProto) -> Port:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _TYPES.keys() - {TensorProto.UNDEFINED, TensorProto.STRING}:
        got = "no tensor" if not value.type.HasField("tensor_type") else _TYPES.get(tensor.elem_type, "an unknown type")
        raise ModelError(f"input '{value.name}': expected a tensor of numbers, got {got}")
    if not tensor.HasField("shape"):
        raise ModelError(f"input '{value.name}': expected a shape, got none")
    dims = tuple(_size(dim) for dim in tensor.shape.dim)
    if len(dims) > 1 and dims[0] == 0:  # some converters write 0 for a batch that is free
        dims = ("", *dims[1:])
    if any(isinstance(size, int) and size > MOST_ELEMENTS for size in dims):
        raise ModelError(f"input '{value.name}': expected sizes up to {MOST_ELEMENTS}, got {list(dims)}")
    return Port(value.name, tensor.elem_type, dims)


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    """Return a size, or the name of a free one; some converters write -1 for it."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return str(dim.dim_param)
