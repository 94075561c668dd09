"""Layers that read dynamic codes: a product that counts codes from 128, and what scales its sums as the run showed.

    s (sum((q - 128) w) - (z - 128) sum(w)) + b,   s and z of the sample, or of the row of channels

The product is exact in whole numbers and rounded to float32 once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from qbench.engine.container import BYTE, Container
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.engine.plans.forms import why_not_counted
from qbench.engine.plans.wide import Lowers, Operand, add_reals
from qbench.engine.steps import dynamic
from qbench.engine.steps.layers import UNBOUNDED
from qbench.graph.network import Add, Conv, Layer

CENTERED = Container(1.0, 128, BYTE, floor=False)
"""What a product is told of dynamic codes; `kernels.quantize.dynamic.CENTER` is put right behind it."""


def place_dynamic(by: Lowers, node: Layer) -> None:
    """Put the steps of a layer whose input has dynamic codes; raise NotIntegerError where it has no such form."""
    kept, residual = by.kept, node.residual if isinstance(node, Conv) else None
    if why := why_not_counted(kept.quantized, node):
        raise NotIntegerError(why)
    if by.accumulator is not None:
        raise NotIntegerError("narrower sums are simulated of activations whose scales are known before")
    bare = replace(node, activation=None) if node.activation is not None else node
    bare = replace(bare, bias=np.zeros_like(node.bias))
    bare = replace(bare, residual=None) if isinstance(bare, Conv) else bare
    parts = by.lowered(bare, Ends(CENTERED, None))
    codes, scales = kept.counted(node.input)
    sums = kept.sum_of(node.output, "sum of codes")
    by.product(bare, parts, CENTERED, sums, operand=Operand(codes))
    clamp = (node.activation if residual is None else None) or UNBOUNDED
    target = kept.write(node.output, "reals") if residual is None else kept.sum_of(node.output)
    weights = kept.quantized.weights[node.name].dequantize().astype(np.float64)
    totals = weights.reshape(len(weights), -1).sum(axis=1).astype(np.float32)
    kept.add((sums, scales), (target,), partial(
        dynamic.scale_step, f"{node.name}:scale", (sums, scales, target), totals=totals,
        bias=node.bias.astype(np.float32), clamp=clamp,
    ))  # fmt: skip
    if residual is not None:
        beside = kept.need(residual, "reals")
        add_reals(kept, Add(f"{node.name}:add", (target, beside), kept.write(node.output, "reals"), node.activation))
