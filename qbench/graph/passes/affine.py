"""Fold batch normalization, and sums and products with constants, into the weights before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qbench.graph.draft import Affine, Draft, uncovered, uses
from qbench.graph.network import Conv, Layer, Linear


def _scaled(layer: Layer, affine: Affine) -> Layer:
    """Return the layer that computes layer, then affine; products in float64, rounded once."""
    column = affine.scale.reshape(-1, *([1] * (layer.weight.ndim - 1)))
    weight = (layer.weight * column).astype(np.float32)
    bias = (layer.bias * affine.scale + affine.offset).astype(np.float32)
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise uncovered(affine.name, affine.op, f"folding it into '{layer.name}' gives weights that are not finite")
    return replace(layer, weight=weight, bias=bias, output=affine.output)


def fold_affine(nodes: Sequence[Draft], *, output: str) -> tuple[Draft, ...]:
    """Return the nodes with every Affine folded into the Conv or Linear before it; ModelError where one cannot be."""
    count = uses(nodes, output)
    kept: dict[str, Draft] = {}  # by the tensor that each writes
    for node in nodes:
        if not isinstance(node, Affine):
            kept[node.output] = node
            continue
        before = kept.get(node.input)
        if not isinstance(before, Conv | Linear) or count[node.input] != 1:
            raise uncovered(node.name, node.op, "expected directly after a Conv or Gemm that nothing else reads")
        del kept[node.input]
        kept[node.output] = _scaled(before, node)
    return tuple(kept.values())
