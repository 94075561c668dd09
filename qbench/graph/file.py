"""From bytes on disk to a checked ONNX graph: what is missing, damaged or foreign is told in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from qbench.errors import ModelError

OLDEST_OPSET = 7  # before it, Add and Gemm broadcast by an attribute of their own
_TYPES = {number: name for name, number in TensorProto.DataType.items()}
Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class File:
    """A graph with one input and one output, its constants read.

    Args:
        model: the message as it was read (external weights loaded).
        opset: version of the standard operators.
        nodes: all nodes, in the file's order.
        constants: initializers, and the values of Constant nodes.
        source: name of the input.
        source_shape: (c, h, w).
        batch: the batch the file is fixed to, None when it is free.
        output: name of the output.
        sha256: of the file, followed by the files of external weights.
    """

    model: ModelProto
    opset: int
    nodes: tuple[NodeProto, ...]
    constants: dict[str, Array]
    source: str
    source_shape: tuple[int, int, int]
    batch: int | None
    output: str
    sha256: str


def read_file(path: Path) -> File:
    """Return the graph of an ONNX file; raise ModelError, without the path, when it is not one that qbench can read."""
    content = read_bytes(path)
    model = _parse(content)
    digest = hashlib.sha256(content)
    for external in _external_files(model, path.parent):
        digest.update(read_bytes(external))
    tensors = {tensor.name: _array(tensor, path.parent) for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in tensors]
    names = [value.name for value in model.graph.output]
    if len(inputs) != 1 or len(names) != 1:
        found = f"inputs {[value.name for value in inputs]} and outputs {names}"
        raise ModelError(f"expected one input and one output, got {found}")
    shape, batch = _input_shape(inputs[0])
    return File(
        model=model, opset=_opset(model), nodes=tuple(model.graph.node), constants=tensors, source=inputs[0].name,
        source_shape=shape, batch=batch, output=names[0], sha256=digest.hexdigest(),
    )  # fmt: skip


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes; raise ModelError when that fails."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ModelError("no such file") from None
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}") from error


def _parse(content: bytes) -> ModelProto:
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
    newest = onnx.defs.onnx_opset_version()
    if not versions or not OLDEST_OPSET <= versions[0] <= newest:
        raise ModelError(f"expected operator set {OLDEST_OPSET}..{newest}, got {versions[0] if versions else 'none'}")
    return int(versions[0])


def _external_files(model: ModelProto, folder: Path) -> list[Path]:
    """Return the files that hold weights, once each; they must lie in the folder of the model."""
    found: dict[Path, None] = {}
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        target = (folder / location).resolve()
        if not location or not target.is_relative_to(folder.resolve()):
            raise ModelError(f"initializer '{tensor.name}' lies outside the model's folder: '{location}'")
        if not target.is_file():
            raise ModelError(f"initializer '{tensor.name}': no such file '{location}' beside the model")
        found[target] = None
    return list(found)


def _array(tensor: TensorProto, folder: Path) -> Array:
    try:
        array: Array = numpy_helper.to_array(tensor, base_dir=str(folder))
    except (ValueError, TypeError, KeyError, OSError, onnx.checker.ValidationError) as error:
        raise ModelError(f"initializer '{tensor.name}' is damaged: {_one_line(error)}") from error
    return array


def _one_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0][:200]


def _input_shape(value: onnx.ValueInfoProto) -> tuple[tuple[int, int, int], int | None]:
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        got = _TYPES.get(tensor.elem_type, "an unknown type")
        raise ModelError(f"input '{value.name}': expected float32 images, got {got}")
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    shown = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in tensor.shape.dim]
    if len(sizes) != 4 or any(size is None or size < 1 for size in sizes[1:]):
        raise ModelError(f"input '{value.name}': expected (batch, c, h, w) with fixed c, h, w, got {shown}")
    channels, height, width = (size for size in sizes[1:] if size is not None)
    return (channels, height, width), sizes[0] or None
