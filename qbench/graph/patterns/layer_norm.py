"""A layer normalization spelled as means, differences and roots becomes a `LayerNorm`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.graph.nodes import LayerNorm, Mul, Unary
from qbench.graph.onnx.draft import Affine, Draft, Raw, UntypedError, reads
from qbench.graph.patterns.web import Web, factor, operator

Reals = npt.NDArray[np.float64]


def fuse_layer_norms(web: Web) -> None:
    """Replace every layer normalization over the last axis."""
    for node in list(web.nodes):
        if isinstance(node, Raw) and _over_last_axis(web, node):
            found = _norm(web, node) or _root_mean_square(web, node)
            if found is not None:
                web.put(*found)


def _norm(web: Web, mean: Raw) -> tuple[LayerNorm, list[Draft]] | None:
    source = mean.reads[0]
    centred = [n for n in web.readers(mean.output) if operator(n) == "Sub" and reads(n) == (source, mean.output)]
    if not centred:
        return None
    region: list[Draft] = [mean, *centred]
    differences = {node.output for node in centred}
    squares = [n for t in differences for n in web.readers(t) if _is_square(n, differences)]
    if len({id(n) for n in squares}) != 1:
        return None
    variance = web.only_reader(squares[0].output)
    if not isinstance(variance, Raw) or not _over_last_axis(web, variance):
        return None
    return _finished(web, variance, source, [*region, squares[0], variance], differences, centred=True)


def _finished(
    web: Web, variance: Raw, source: str, region: list[Draft], differences: set[str], *, centred: bool
) -> tuple[LayerNorm, list[Draft]] | None:
    """Read what follows the variance: its root, the division of the differences, scale and offset."""
    spread = web.only_reader(variance.output)
    if not isinstance(spread, Affine) or spread.axis is not None or spread.scale[0] != 1 or spread.offset[0] <= 0:
        return None
    root = web.only_reader(spread.output)
    region.append(spread)
    unit = _unit(web, root, differences, region)
    if unit is None:
        return None
    scale, offset, end = _affine(web, unit, region)
    if any(not web.is_inner(n.output, region) for n in region if n is not end):
        return None
    shape = web.shape(source)
    size = scale.size if scale.size > 1 else offset.size
    if not shape or shape[-1] < 1 or size not in (1, shape[-1]):
        return None
    gamma, beta = (np.ascontiguousarray(np.broadcast_to(v, shape[-1:]), np.float32) for v in (scale, offset))
    name = region[0].name if centred else variance.name
    made = LayerNorm(name, source, end.output, gamma, beta, float(spread.offset[0]), centred)
    return made, region


def _root_mean_square(web: Web, mean: Raw) -> tuple[LayerNorm, list[Draft]] | None:
    """Read the normalization by the root of the mean of squares."""
    square = web.writer(mean.reads[0])
    if square is None or len(set(reads(square))) != 1 or not _is_square(square, set(reads(square))):
        return None
    (source,) = set(reads(square))
    return _finished(web, mean, source, [square, mean], {source}, centred=False)


def _is_square(node: Draft, differences: set[str]) -> bool:
    if isinstance(node, Mul):
        return set(node.inputs) <= differences
    return isinstance(node, Unary) and (node.function, node.parameters) == ("power", (2.0,))


def _unit(web: Web, root: Draft | None, differences: set[str], region: list[Draft]) -> Draft | None:
    """Return the node that divides the differences by the root of the variance, in any of its spellings."""
    if not isinstance(root, Unary) or (root.function, root.parameters) not in (("sqrt", ()), ("power", (0.5,))):
        return None
    after = web.only_reader(root.output)
    region.append(root)
    if operator(after) == "Div" and isinstance(after, Raw) and after.reads[1:] == (root.output,):
        region.append(after)
        return after if after.reads[0] in differences else None
    if isinstance(after, Unary) and after.function == "reciprocal":
        product = web.only_reader(after.output)
        region.append(after)
        if factor(product) == 1:
            region.append(product)  # type: ignore[arg-type]
            product = web.only_reader(product.output)  # type: ignore[union-attr]
        if operator(product) == "Mul" and isinstance(product, Raw) and set(product.reads) & differences:
            region.append(product)
            return product
    return None


def _affine(web: Web, unit: Draft, region: list[Draft]) -> tuple[Reals, Reals, Draft]:
    """Return scale, offset and the last node, of the products and sums per channel that follow."""
    scale, offset, end = np.ones(1), np.zeros(1), unit
    while True:
        after = web.only_reader(end.output)
        rank = len(web.shape(end.output))
        if not isinstance(after, Affine) or after.axis not in (rank - 1, None):
            return scale, offset, end
        scale, offset = scale * after.scale, offset * after.scale + after.offset
        region.append(after)
        end = after


def _over_last_axis(web: Web, node: Draft | None) -> bool:
    """Whether a node is a ReduceMean that keeps its axes and averages only the last."""
    if not isinstance(node, Raw) or operator(node) != "ReduceMean" or not node.inputs:
        return False
    reader, rank = web.reader(node), len(web.shape(node.inputs[0])) + 1
    try:
        axes = reader.axes(1, since=18)
    except UntypedError:  # computed, or no list
        return False
    return rank > 1 and reader.integer("keepdims", 1) == 1 and axes in ((-1,), (rank - 1,))
