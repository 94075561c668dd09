"""What becomes of a network before any data is seen: every step, its kernel, its layout, its memory, and why.

Kernels, layouts and memory follow from formats and shapes. The ranges that a session needs to be built are those of
made-up images; no score comes from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qbench.core.several import Inputs, Several
from qbench.core.trial import ON_INTEGERS
from qbench.engine import Session, build_session
from qbench.engine.lowering.accumulators import Bound, bound_of
from qbench.engine.saved.network import load_network
from qbench.graph import Network, QuantizedNetwork
from qbench.kernels.layout import Layout
from qbench.quantization import Observations, layer_kinds
from qbench.quantization.per_layer import PerLayer
from qbench.runner.own.request import Asked, assigned_network, kept_network, read_network
from qbench.runner.timing.steps import float_reasons

_IMAGES = 2


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One step.

    Args:
        name: the node, or the tensor that is converted.
        operator: `conv`, `depthwise`, `linear`, or the kind of any other node; ONNX operators of one that another
            library runs; `conversion` for what is no node.
        assigned: token that rules and spec give a layer; "" for a step without weights.
        integer: whether it runs in integers.
        why: why a node does not, "" where it does and for a conversion.
        kernel: what runs.
        layout: of what it writes, without the batch.
        operations: an image, 2 per multiply-add.
        largest_sum: what the sums of a layer in integers cannot exceed, and `sum_bits` the bits that hold it; None for
            other steps. Ranges of made-up samples enter by their zero points and the share of the bias.
        weight_bytes: of weights and parameters, in the kernel's layout.
        activation_bytes: of what it writes, an image.
    """

    name: str
    operator: str
    assigned: str
    integer: bool
    why: str
    kernel: str
    layout: str
    operations: int
    weight_bytes: int
    activation_bytes: int
    largest_sum: float | None = None
    sum_bits: int | None = None


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A network's steps in order, and what they need together.

    Args:
        name: the network's.
        execution: integer, mixed, simulated, dequantized; `reason` says why it is not integer.
        steps: in order.
        micro_batch: images per pass.
        weight_bytes: of all weights in the kernels' layout.
        buffer_bytes: of the buffers of all threads; tensors share them when their lifetimes allow.
        threads: threads of the session.
    """

    name: str
    execution: str
    reason: str
    steps: tuple[StepPlan, ...]
    micro_batch: int
    weight_bytes: int
    buffer_bytes: int
    threads: int

    @property
    def operations(self) -> int:
        """Operations of all steps per image."""
        return sum(step.operations for step in self.steps)

    @property
    def integer_operations(self) -> int:
        """Operations of the steps that run in integers, an image."""
        return sum(step.operations for step in self.steps if step.integer)


def plan_model(asked: Asked) -> ModelPlan:
    """Return what becomes of a network file, or of a saved quantized network.

    Raises:
        QBenchError: the network cannot be read, or the spec or a rule is wrong.
    """
    folder = Path(asked.model)
    if folder.is_dir():
        saved = load_network(folder)
        tokens = {name: f"w{codes.spec.token}" for name, codes in saved.quantized.weights.items()}
        return _planned(saved.quantized, tokens, asked)
    if asked.keeps:
        kept = kept_network(asked)
        return _planned(kept, {name: spec.token for name, spec in kept.specs.items()}, asked)
    network = read_network(asked)
    plain = assigned_network(asked, network)
    seen = Observations(network, lambda: _made_up_inputs(network, seed=asked.seed), threads=1)
    quantized = PerLayer(asked.parts.method).apply(plain, seen, seed=asked.seed)
    return _planned(quantized, {name: spec.token for name, spec in plain.specs.items()}, asked)


def _made_up_inputs(network: Network, *, seed: int) -> Inputs:
    """Return two samples: normal numbers, or zeros and ones where the network wants whole numbers (words, say)."""
    generator, made = np.random.default_rng(seed), []
    for name in network.inputs:
        shape, kind = (_IMAGES, *network.shapes[name]), np.dtype(network.dtypes.get(name, "float32"))
        floats = kind.kind == "f"
        numbers = generator.standard_normal(shape, np.float32) if floats else generator.integers(0, 2, shape)
        made.append(numbers.astype(kind))
    return Several(tuple(made)) if len(made) > 1 else made[0]


def _planned(quantized: QuantizedNetwork, tokens: Mapping[str, str], asked: Asked) -> ModelPlan:
    with build_session(quantized, variant=asked.variant, threads=asked.threads) as session:
        steps = tuple(_steps(session, tokens, quantized))
        return ModelPlan(
            name=quantized.network.name,
            execution=session.execution,
            reason=session.execution_reason,
            steps=steps,
            micro_batch=session.plan.images,
            weight_bytes=session.resident_bytes,
            buffer_bytes=session.activation_bytes,
            threads=asked.threads,
        )


def _bounds(quantized: QuantizedNetwork) -> dict[str, Bound]:
    """Return what the sums of every layer with codes on both sides cannot exceed."""
    network, found = quantized.network, {}
    for layer in network.layers:
        entering = quantized.activations.get(network.unflattened(layer.input))
        bound = bound_of(layer, quantized.weights.get(layer.name), entering)
        if bound is not None:
            found[layer.name] = bound
    return found


def _steps(session: Session, tokens: Mapping[str, str], quantized: QuantizedNetwork) -> list[StepPlan]:
    weights, activations = set(quantized.weights), set(quantized.activations)
    bounds = _bounds(quantized)
    network, plan = session.network, session.plan
    kinds: dict[str, str] = dict(layer_kinds(network))
    operators = {node.name: kinds.get(node.name, type(node).__name__.lower()) for node in network.nodes}
    operators |= {node.name: "+".join(node.operators) for node in network.foreign}
    reasons = float_reasons(session, weights=weights, activations=activations)
    otherwise = session.execution_reason or "runs in float32"
    if session.execution in ON_INTEGERS:
        otherwise = "stays in float32 between integer layers"
    found = []
    for step in (*plan.loads, *plan.steps):
        layout = plan.layouts.get(step.writes)
        is_node = step.name in operators
        bound = bounds.get(step.name) if step.in_integers else None
        why = reasons.get(step.name, otherwise) if is_node and not step.in_integers else ""
        found.append(
            StepPlan(
                name=step.name,
                operator=operators.get(step.name, "conversion"),
                assigned=tokens.get(step.name, "w32-a32" if step.name in kinds else ""),
                integer=step.in_integers,
                why=why,
                kernel=step.kind,
                layout="" if layout is None else _layout_text(layout),
                operations=step.operations,
                weight_bytes=step.resident_bytes,
                activation_bytes=0 if layout is None else layout.size_bytes // layout.images,
                largest_sum=None if bound is None else bound.largest,
                sum_bits=None if bound is None else bound.bits,
            )
        )
    return found


def _layout_text(layout: Layout) -> str:
    """Return `NHWC 32x32x16 u8, border 1/1/1/1`: what is kept of an image, channels with their padding."""
    kind = {1: "u8", 4: "32 bits"}.get(layout.item_bytes, f"{8 * layout.item_bytes} bits")
    around = f", border {'/'.join(map(str, layout.border))}" if any(layout.border) else ""
    return f"NHWC {layout.height}x{layout.width}x{layout.words} {kind}{around}"
