"""Read an ONNX file into a `Network`: check, infer shapes, fold, recognize, fuse, cut, name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from onnx import ModelProto

from qbench.errors import ModelError, suggest
from qbench.graph.network import Network
from qbench.graph.nodes import Conv, Given, Node, Shape
from qbench.graph.onnx.assemble import Names, Shapes, assembled, names_of
from qbench.graph.onnx.batch_axis import batch_first, outputs_batch_first
from qbench.graph.onnx.bound import with_bound
from qbench.graph.onnx.branches import take_branches
from qbench.graph.onnx.cut import cut_foreign
from qbench.graph.onnx.draft import Affine, Alias, Draft, Raw, ZeroPad
from qbench.graph.onnx.drafting import drafts_of
from qbench.graph.onnx.file import File, Port, as_file, read_file
from qbench.graph.onnx.liveness import live_nodes
from qbench.graph.onnx.recognition import recognize
from qbench.graph.onnx.survey import Survey, survey
from qbench.graph.onnx.tensor_type import FLOAT
from qbench.graph.onnx.widen import OTHERS, widened, without_bfloat16
from qbench.graph.passes.activation import fuse_activation
from qbench.graph.passes.affine import fold_affine
from qbench.graph.passes.naming import name_nodes
from qbench.graph.passes.orders import fold_orders
from qbench.graph.passes.padding import merge_padding
from qbench.graph.passes.residual import fuse_residual
from qbench.graph.passes.strides import merge_strides
from qbench.graph.passes.zeros import merge_zeros
from qbench.graph.readers import NO_SHAPES

FLOATS = (FLOAT, *OTHERS)


def read_onnx(path: Path, *, shapes: Mapping[str, Given] = NO_SHAPES) -> Network:
    """Return the network of an ONNX file, fused.

    Batch normalization, biases and constant sums and products are folded into weights; clamps and residual sums are
    fused into the layer before them; names are readable (`blocks.3.shortcut`). Operators without a typed node become
    `Foreign` nodes.

    Args:
        path: the file.
        shapes: input -> shape without its batch, where the file leaves sizes free, or the one number that it always is.

    Raises:
        ModelError: one line with the path, and the node and operator where one is at fault.
    """
    try:
        file, sizes = with_bound(read_file(path), shapes)
        network = network_and_names(file, path.stem, shapes=sizes)[0]
    except ModelError as error:
        raise named_error(path, error) from error
    except Exception as error:  # a fault of the reader's own: still one line; `tests.graph.fuzz` looks behind it
        line = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise named_error(
            path, ModelError(f"the reader fails on it, which is a fault of qbench's own: {line}")
        ) from error
    return replace(network, sha256=_with_shapes(network.sha256, shapes)) if shapes else network


def _with_shapes(sha256: str, shapes: Mapping[str, Given]) -> str:
    """Return the hash of a file and of the shapes that it is read for."""
    return hashlib.sha256(f"{sha256} {sorted(shapes.items())}".encode()).hexdigest()


def named_error(path: Path, error: ModelError) -> ModelError:
    """Return an error with the file's path before its line, whatever letters the names in it hold."""
    return ModelError(f"{path}: {''.join(letter if letter.isprintable() else '?' for letter in str(error))}")


def network_of_model(model: ModelProto, name: str) -> Network:
    """Return the network of a model in memory, its weights inside; networks of nothing but constants are allowed."""
    return network_and_names(as_file(model, Path(), ""), name, trivial=True)[0]


def network_and_names(
    file: File,
    name: str,
    *,
    shapes: Mapping[str, Shape] = MappingProxyType({}),
    trivial: bool = False,
    residuals: bool = True,
    fixed: Collection[str] = (),
) -> tuple[Network, Names]:
    """Return the network of a checked file, and the names that the file's tensors have in it.

    Args:
        file: from `read_file`.
        name: the network's name.
        shapes: input -> shape without its batch, for inputs that the file leaves free.
        trivial: whether outputs may be constants, or inputs as they are.
        residuals: whether convolutions take in the additions after them.
        fixed: weights whose numbers nothing may be folded into.
    """
    file = file if trivial else batch_first(without_bfloat16(file), given=shapes)
    _check_images(file, shapes)
    file, found = _surveyed(file, shapes)
    moved = file if trivial else outputs_batch_first(file, found.types, times=found.multiples)
    file, found = (file, found) if moved is file else _surveyed(moved, shapes)
    file, found = (file, found) if trivial else widened(file, found)
    drafts, known = drafts_of(file, found)
    turn = (not fixed, not fixed and not trivial)
    file, recognized, outputs = recognize(file, found, drafts, trivial=trivial, regions=turn[0], inputs=turn[1])
    turned = {port.name: found.types[port.name].shape for port in file.inputs}
    known = {**{name: kind.shape for name, kind in found.types.items()}, **known, **turned}
    fused, before = _fused(recognized, outputs, known, residuals=residuals, fixed=fixed)
    whole = _typed(cut_foreign(fused, outputs=outputs, file=file, survey=found))
    ends = {port.name: port.name for port in file.inputs} | dict(zip(outputs, file.outputs, strict=True))
    named = name_nodes(whole, ends=ends)
    network = assembled(file, found, name, whole=whole, named=named)
    return network, names_of(file, drafts, whole=whole, named=named, before=before)


def _surveyed(file: File, shapes: Mapping[str, Shape]) -> tuple[File, Survey]:
    """Survey the file; where that decides an If, once more with its branch in its place."""
    while True:
        found = survey(file, live_nodes(file), shapes=shapes)
        constants = dict(file.constants)
        nodes = take_branches(found.nodes, found.constants, constants=constants)
        if nodes is None:
            return file, found
        constants.update({name: value for name, value in found.constants.items() if name not in constants})
        file = replace(file, nodes=tuple(nodes), constants=constants)


def _check_images(file: File, shapes: Mapping[str, Shape]) -> None:
    """Refuse shapes that do not fit, and images whose sizes nobody gives: nothing could be planned for them."""
    unknown = next((name for name in shapes if name not in {port.name for port in file.inputs}), None)
    if unknown is not None:
        names = [port.name for port in file.inputs]
        raise ModelError(f"shapes: the file has no input '{unknown}'{suggest(unknown, names)}; it has {names}")
    for port in file.inputs:
        _check_fits(port, shapes.get(port.name))
        dims = (*port.dims[:1], *shapes[port.name]) if port.name in shapes else port.dims
        if len(dims) == 4 and port.dtype in FLOATS and not all(isinstance(d, int) and d > 0 for d in dims[1:]):
            shown = ["?" if size == "" else size for size in dims]
            raise ModelError(
                f"input '{port.name}': expected (batch, c, h, w) with fixed c, h, w, got {shown}; "
                f"fix them by --shape, such as --shape {port.name}={_example(dims[1:])}"
            )


def _check_fits(port: Port, shape: Shape | None) -> None:
    """Refuse a shape that the file's own sizes contradict."""
    if shape is None:
        return
    own = port.dims[1:]
    if len(own) != len(shape) or any(isinstance(a, int) and 0 < a != b for a, b in zip(own, shape, strict=False)):
        shown = ["?" if size == "" else size for size in port.dims]
        given = "x".join(map(str, shape))
        raise ModelError(f"shapes: input '{port.name}' is {shown}, which {given} (without the batch) does not fit")


def _example(dims: Sequence[int | str]) -> str:
    """Return sizes as they are written, 224 where they are free."""
    return "x".join(str(size) if isinstance(size, int) and size > 0 else "224" for size in dims)


def _fused(
    nodes: Sequence[Draft], outputs: Sequence[str], shapes: Shapes, *, residuals: bool, fixed: Collection[str]
) -> tuple[tuple[Draft, ...], Names]:
    """Run the passes in the one order that lets each see what it needs.

    Returns:
        The nodes; and by what each convolution with a residual writes, what it wrote before it took the residual in.
    """
    nodes = fold_affine(nodes, outputs=outputs, shapes=shapes, fixed=fixed)
    nodes = merge_padding(nodes, outputs=outputs)
    nodes = merge_zeros(merge_strides(nodes, outputs=outputs), outputs=outputs)
    nodes = fold_orders(nodes, outputs=outputs, fixed=fixed)
    sums = {id(node.weight): node.output for node in nodes if isinstance(node, Conv)}
    nodes = fuse_residual(nodes, outputs=outputs) if residuals else nodes
    fused = fuse_activation(nodes, outputs=outputs)
    hosts = [node for node in fused if isinstance(node, Conv) and node.residual is not None]
    return fused, {node.output: sums[id(node.weight)] for node in hosts}


def _typed(nodes: Sequence[Draft]) -> tuple[Node, ...]:
    typed = tuple(node for node in nodes if not isinstance(node, Affine | ZeroPad | Alias | Raw))
    assert len(typed) == len(nodes), "a pass left a draft"
    return typed
