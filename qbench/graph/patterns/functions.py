"""Several nodes that compute one function of each number become a `Unary`, recognized by values, not by spelling."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from qbench.graph.functions import evaluate
from qbench.graph.nodes import Activation, Add, Mul, Unary
from qbench.graph.onnx.draft import Affine, Draft, reads
from qbench.graph.patterns.web import Web

Reals = npt.NDArray[np.float64]
MOST_NODES = 12
TOLERANCE = 1e-5
"""Between gelu and its tanh form lie 5e-4; between exporters' roundings of constants 1e-6."""

CANDIDATES: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("silu", (1.0,)), ("hard_swish", ()), ("gelu", ()), ("gelu_tanh", ()), ("silu", (1.702,)), ("mish", ()),
    ("hard_sigmoid", (1 / 6, 0.5)), ("softplus", ()), ("sigmoid", ()), ("tanh", ()), ("softsign", ()),
)  # fmt: skip


@cache
def _grid() -> Reals:
    far = np.asarray([12.0, 20.0, 50.0, 100.0, 1e3, 1e4])  # where a clamp of the region would show
    return np.concatenate([-far[::-1], np.linspace(-9.0, 9.0, 721), far])


@cache
def _known() -> tuple[Reals, ...]:
    return tuple(evaluate(name, _grid(), parameters) for name, parameters in CANDIDATES)


def fuse_functions(web: Web) -> None:
    """Put a Unary in the place of every region of nodes that computes one of `CANDIDATES`, the largest first."""
    fused: set[int] = set()
    for end in list(reversed(web.nodes)):
        if id(end) in fused or not _is_elementwise(end):
            continue
        found = _region(web, end)
        if found is None:
            continue
        made, region = found
        fused.update(id(node) for node in region)
        web.put(made, region)


def _is_elementwise(node: Draft | None) -> bool:
    if isinstance(node, Affine):
        return node.scale.size == 1 and node.axis is None
    if isinstance(node, Add | Mul):
        return node.activation is None
    return isinstance(node, Unary | Activation)


def _region(web: Web, end: Draft) -> tuple[Unary, list[Draft]] | None:
    """Grow a region backwards from its end until it is a known function of the one tensor that it reads."""
    region = [end]
    frontier = set(reads(end))
    while len(region) < MOST_NODES:
        open_tensors = [
            tensor
            for tensor in frontier
            if _is_elementwise(web.writer(tensor)) and web.is_inner(tensor, region)
        ]  # fmt: skip
        if not open_tensors:
            return None
        tensor = max(open_tensors, key=lambda name: web.place[name])
        writer = web.writer(tensor)
        assert writer is not None, "an open tensor has a writer"
        region.append(writer)
        frontier = (frontier - {tensor}) | set(reads(writer))
        if len(frontier) == 1:
            found = _named(web, region, next(iter(frontier)))
            if found is not None:
                return found, region
    return None


def _named(web: Web, region: list[Draft], root: str) -> Unary | None:
    values = {root: _grid()}
    end = region[0]
    for node in sorted(region, key=lambda node: web.place[node.output]):
        values[node.output] = _apply(node, [values[tensor] for tensor in reads(node)])
    result = values[end.output]
    for (name, parameters), known in zip(CANDIDATES, _known(), strict=True):
        if np.allclose(result, known, rtol=TOLERANCE, atol=TOLERANCE):
            scope = next((node.name for node in region if node.name), "")
            return Unary(scope, name, root, end.output, parameters)
    return None


def _apply(node: Draft, operands: list[Reals]) -> Reals:
    with np.errstate(all="ignore"):
        match node:
            case Unary():
                return evaluate(node.function, operands[0], node.parameters)
            case Activation():
                return np.clip(operands[0], node.clamp.low, node.clamp.high)
            case Affine():
                scaled: Reals = operands[0] * node.scale[0] + node.offset[0]
                return scaled
            case Mul():
                product: Reals = operands[0] * operands[1]
                return product
            case _:
                total: Reals = operands[0] + operands[1]
                return total
