"""The plan of any network whose sizes are fixed: one compiled program of integer, float and foreign steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qbench.core.accumulator import Accumulator
from qbench.engine.kinds import has_tokens
from qbench.engine.plans.arrange import Arranger
from qbench.engine.plans.kept import Kept, Op
from qbench.engine.plans.plan import Output, Plan
from qbench.engine.plans.ready import ready
from qbench.engine.plans.stages import images_of, micro_batch
from qbench.engine.steps.foreign import LIBRARIES
from qbench.errors import QBenchError
from qbench.graph.network import Network, outputs_of
from qbench.graph.nodes import PRODUCTS
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.layout import Layout

ROOM_BYTES = 1 << 20
"""Room for the two widest tensors of a pass over tokens: a second-level cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A plan, and what became of the network on the way.

    Args:
        network: with Foreign nodes in place of those that have no step.
        plan: its steps.
        integer: names of the layers that run in integers.
        reasons: why each other layer does not.
        failures: where Foreign nodes leave what went wrong during a run.
        words: ids of the input must be below it; 0 where the plan looks none up itself.
    """

    network: Network
    plan: Plan
    integer: frozenset[str]
    reasons: Mapping[str, str]
    failures: list[QBenchError]
    words: int

    @property
    def float_parts(self) -> str:
        """What runs in float32 beside layers, with how often, in words; "" for nothing."""
        layers, counts = {layer.name for layer in self.network.layers}, dict[str, int]()
        for step in self.plan.steps:
            if not step.in_integers and step.name not in layers and not step.name.endswith(_CONVERSIONS):
                name, _, where = step.kind.partition("/")
                label = f"{name} through {where}" if where in LIBRARIES else name
                counts[label] = counts.get(label, 0) + 1
        return ", ".join(f"{count} {label}" for label, count in counts.items())

    @property
    def multiplied_elsewhere(self) -> str:
        """How much of the multiply-adds other libraries do in float, by operator, in words; "" where that is little."""
        steps, foreign = self.plan.steps, {node.name: node for node in self.network.foreign}
        operations = sum(step.operations for step in steps)
        if sum(step.operations for step in steps if step.in_integers) >= _MOST * operations:
            return ""
        counts: dict[str, dict[str, int]] = {}
        for step in steps:
            if step.name in foreign:
                own, library = foreign[step.name].operators, step.kind.partition("/")[2]
                label = "+".join(dict.fromkeys(one for one in own if one in PRODUCTS)) or step.kind.partition("/")[0]
                of = counts.setdefault(library, {})
                of[label] = of.get(label, 0) + step.operations
        lines = []
        for library, of in counts.items():
            shares = [(round(100 * count / operations), name) for name, count in of.items()]
            words = [f"{name}: {share} %" for share, name in sorted(shares, reverse=True) if share]
            if words:
                lines.append(f"{', '.join(words)} of the multiply-adds in float, through {library}")
        return "; ".join(lines)


_MOST = 0.95
"""A share of integers above which nobody asks where the rest is."""
_CONVERSIONS = (":fake", ":copy", ":planes", ":layout", ":rows", ":load")


def plan_network(
    quantized: QuantizedNetwork, *, variant: str, floats: str = "", integer: bool = True,
    accumulator: Accumulator | None = None,
) -> Planned:  # fmt: skip
    """Return the plan of a network: layers with codes in integers where they have such a form, all else in float.

    Where no layer runs in integers, nothing does: codes and parameters are simulated in float32.

    Args:
        quantized: the network, its codes and parameters.
        variant: kernel variant, a name of `kernels.variants.NAMES`.
        floats: kernel variant of float steps; the same where it is left out.
        integer: whether integers are wanted at all.
        accumulator: of integer layers, where a narrower one is simulated.

    Raises:
        NoPlanError: an input or output has a free size.
        ModelError: onnxruntime cannot run a Foreign.
    """
    made = ready(quantized)
    wanted = integer and bool(quantized.weights) and bool(quantized.activations)
    arranger = Arranger(Kept(made, quantized, wanted), variant, floats or variant, accumulator=accumulator)
    arranger.run()
    layers = {layer.name for layer in made.network.layers}
    if wanted and arranger.reasons.keys() >= layers:
        reasons = arranger.reasons
        arranger = Arranger(Kept(made, quantized, integer=False), variant, floats or variant)
        arranger.run()
        arranger.reasons.update(reasons)
    plan = _plan(arranger.kept)
    chosen = frozenset(layers - arranger.reasons.keys())
    return Planned(made.network, plan, chosen, arranger.reasons, arranger.failures, arranger.words)


def _plan(kept: Kept) -> Plan:
    """Return the plan of arranged steps: how many images each takes, the layouts, the steps."""
    network = kept.ready.network
    outputs = tuple(_output(kept, tensor) for tensor in network.outputs)
    kept.load_rest()
    sizes = _sizes(kept, [output.buffer for output in outputs])
    first, most = (sizes[0], sizes[-1]) if sizes else (1, 1)
    layouts = {name: replace(layout, images=first) for name, layout in kept.layouts.items()}
    for op, size in zip(kept.ops, sizes, strict=True):  # a buffer holds the images that its readers take at a time
        layouts.update({name: replace(layouts[name], images=size) for name in (*op.writes, *op.reads)})
    layouts.update({output.buffer: replace(layouts[output.buffer], images=most) for output in outputs})
    loads = [kept.loads[tensor] for tensor in network.inputs]
    return Plan(
        images=most, sizes=tuple(sizes), layouts=layouts, fills=kept.fills, outputs=outputs,
        loads=tuple(op.make(_seen(layouts, op, first)) for op in loads),
        steps=tuple(op.make(_seen(layouts, op, size)) for op, size in zip(kept.ops, sizes, strict=True)),
    )  # fmt: skip


def _seen(layouts: Mapping[str, Layout], op: Op, size: int) -> Mapping[str, Layout]:
    """Return the layouts as a step sees them that writes `size` images at a time."""
    return {**layouts, **{name: replace(layouts[name], images=size) for name in op.writes}}


def _output(kept: Kept, tensor: str) -> Output:
    network, grids = kept.ready.network, kept.ready.grids
    shape, kind = network.shapes[tensor], network.dtypes.get(tensor, "float32")
    pixel = tensor in grids and grids[tensor][:2] == (1, 1)
    name = kept.need(tensor, "reals" if pixel and not kept.is_bordered(tensor) else "plain")
    return Output(name, shape, kind)


def _sizes(kept: Kept, outputs: Sequence[str]) -> list[int]:
    """Return the images that each step takes at a time."""
    network, count = kept.ready.network, len(kept.ops)
    if kept.is_single:
        return [1] * count
    if network.batch is not None and network.foreign:
        return [network.batch] * count
    if has_tokens(network):
        return [_images_a_pass(network)] * count
    codes = kept.integer and any(layout.item_bytes == 1 for layout in kept.layouts.values())
    if not codes:  # bytes may also be an input as it is: a float session takes as many images in every step
        return [micro_batch([*kept.layouts.values()])] * count
    loaded = [name for op in kept.loads.values() for name in op.writes]
    return images_of(kept.ops, kept.layouts, inputs=loaded, outputs=outputs)


def _images_a_pass(network: Network) -> int:
    """Return the images per pass over tokens: as many as keep the two widest tensors in the second-level cache."""
    sizes = [4 * int(np.prod(network.shapes[t])) for node in network.nodes for t in outputs_of(node)]
    return int(np.clip(ROOM_BYTES // max(1, sum(sorted(sizes)[-2:])), 1, 32))
