"""Networks over tokens: linear layers in integers, float32 between them, all of it steps of one compiled program.

A tensor that an integer layer reads is written as u8 codes, by the step that makes it where that step can; what else
reads it gets float32 numbers. Nodes that have no step become Foreign ones, which the program calls back for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from qbench.core.tensor import QParams, QTensor
from qbench.engine.container import Container, container_of
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.plans.plan import Buffers, Plan, Step
from qbench.engine.steps.foreign import foreign_step
from qbench.engine.steps.linear import fake_steps, float_linear_step, integer_linear_steps
from qbench.engine.tokens.network import images_a_pass, ready
from qbench.engine.tokens.steps import (
    add_step,
    attention_step,
    codes_name,
    embedding_step,
    gelu_step,
    layer_norm_step,
    mean_step,
    quantize_step,
    softmax_step,
)
from qbench.errors import QBenchError
from qbench.graph import (
    Add,
    Attention,
    Foreign,
    LayerNorm,
    Linear,
    Network,
    Node,
    QuantizedNetwork,
    Softmax,
    TokenMean,
    Unary,
    outputs_of,
)
from qbench.graph.embedding import embedding_of
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.tasks import Task, task_of

COPY = "qbench.kernels.elementwise.portable:copy_rows_f32"


@dataclass(frozen=True, slots=True, eq=False)
class TokenPlan:
    """A plan over tokens.

    Args:
        network: with Foreign nodes in place of those that have no step.
        plan: its steps.
        failures: where Foreign nodes leave what went wrong during a run.
        integer_layers: linear layers in integers.
        words: ids of the input must be below it; 0 where the plan looks none up itself.
        float_parts: what is computed in float32, in words, "" for nothing.
    """

    network: Network
    plan: Plan
    failures: list[QBenchError]
    integer_layers: frozenset[str]
    words: int
    float_parts: str


def token_plan(quantized: QuantizedNetwork, *, variant: str, integer: bool) -> TokenPlan:
    """Return the plan of a network over tokens.

    Args:
        quantized: a network that `has_tokens`; of activations those that enter a linear layer count, the others stay
            float32.
        variant: a name of `kernels.variants.NAMES`.
        integer: whether quantized layers run in integers; else weights and layers' inputs are simulated in float32.

    Raises:
        NotIntegerError: with `integer`, a quantized layer has no integer form.
        ModelError: no plan can run the network, in one line.
    """
    handed, operations = ready(quantized)
    return _Planner(
        handed, quantized.weights, quantized.activations, variant=variant, integer=integer, handed=operations
    ).run()


@dataclass(slots=True)
class _Planner:
    """Makes the steps in the network's order."""

    network: Network
    weights: Mapping[str, QTensor]
    activations: Mapping[str, QParams]
    variant: str
    integer: bool
    handed: Mapping[str, int]
    images: int = 1
    layouts: dict[str, Layout] = field(default_factory=dict)
    boxes: dict[str, Container] = field(default_factory=dict)
    added: dict[str, Add] = field(default_factory=dict)
    failures: list[QBenchError] = field(default_factory=list)
    words: int = 0

    def run(self) -> TokenPlan:
        """Return the plan."""
        network = self.network
        self._find_codes()
        self._find_sums()
        self.images = 1 if network.batch else images_a_pass(network)
        tensors = (*network.inputs, *(t for node in network.nodes for t in outputs_of(node)))
        self.layouts = {tensor: self._layout(tensor) for tensor in tensors}
        for tensor in self.boxes:
            layout = self.layouts[tensor]
            self.layouts[codes_name(tensor)] = replace(layout, item_bytes=1, words=padded_channels(layout.channels))
        steps = self._conversions(network.input, codes=network.input in self.boxes)
        steps += [step for node in network.nodes for step in self._steps(node)]
        plan = Plan(
            images=self.images, sizes=(self.images,) * len(steps), layouts=self.layouts, fills={}, aliases={},
            load=self._load(), steps=tuple(steps), output=network.output, input=network.input,
        )  # fmt: skip
        integer = frozenset(step.name for step in steps if step.in_integers) & {n.name for n in network.layers}
        return TokenPlan(network, plan, self.failures, integer, self.words, self._float_parts(steps))

    def _find_codes(self) -> None:
        """Find the containers of the tensors that integer layers read."""
        for node in self.network.layers:
            if self.integer and node.name in self.weights:
                params = self.activations.get(node.input)
                box = None if params is None else container_of(params)
                if box is None:
                    why = "stays in float32" if params is None else f"has {type(params.spec.format).__name__} levels"
                    raise NotIntegerError(f"activation '{node.input}' {why}")
                self.boxes[node.input] = box

    def _find_sums(self) -> None:
        """Find the additions that a layer norm takes in: nothing else reads them."""
        network = self.network
        for node in network.nodes:
            if isinstance(node, Add) and node.activation is None:
                readers = network.consumers(node.output)
                if len(readers) == 1 and isinstance(readers[0], LayerNorm) and node.output != network.output:
                    self.added[node.output] = node

    def _layout(self, tensor: str) -> Layout:
        """Return a tensor's layout: (tokens, c) and (k,) in padded rows, anything else as it is, in one row."""
        shape = self.network.shapes[tensor]
        kind = self.network.dtypes.get(tensor)
        if kind is None and len(shape) in (1, 2):
            height = shape[0] if len(shape) == 2 else 1
            return Layout(self.images, height, 1, shape[-1], padded_channels(shape[-1]), 4)
        size = int(np.prod(shape, dtype=np.int64))
        return Layout(self.images, 1, 1, size, size, np.dtype(kind or "float32").itemsize)

    def _load(self) -> Step:
        """Return the step that copies what a run is given: ids, images as they are, or the rows of tokens."""
        tensor, layout = self.network.input, self.layouts[self.network.input]
        kind = np.dtype(self.network.dtypes.get(tensor, "float32"))
        rows = self.images * layout.height

        def join(buffers: Buffers) -> Task:
            x = np.empty((rows, layout.channels), kind)  # its shape is what counts: every run writes its own address
            out = buffers[tensor].view(kind).reshape(rows, -1)
            return task_of(COPY, (x, out, layout.channels), units=layout.height)

        return Step(f"{tensor}:load", "copy_rows/portable", 0, (), tensor, join, kind.kind in "iu")

    def _conversions(self, tensor: str, *, codes: bool) -> list[Step]:
        """Return the steps that make a tensor's codes, or the reals of its codes where they are simulated."""
        if codes:
            return [quantize_step(tensor, self.layouts, self.boxes[tensor])]
        if not self.integer and tensor in self.activations and self._enters_layer(tensor):
            return fake_steps(tensor, self.layouts, self.activations[tensor])
        return []

    def _steps(self, node: Node) -> list[Step]:
        """Return a node's steps: its own, and what makes the codes that it does not write itself."""
        if node.output in self.added:
            return []
        box, wants_reals = self.boxes.get(node.output), self._is_read_as_reals(node.output)
        own = None if wants_reals else box
        operations = self.network.operations(node.name)
        match node:
            case LayerNorm():
                steps = [layer_norm_step(node, self.added.get(node.input), self.layouts, own, operations)]
            case Unary():
                steps = [gelu_step(node, self.layouts, own, operations)]
            case Attention():
                steps = [attention_step(node, self.layouts, own, self.variant, operations)]
            case Linear():
                steps = self._linear(node, own, operations)
            case Add():
                steps, own = [add_step(node, self.layouts, operations)], None
            case Softmax():
                steps, own = [softmax_step(node, self.layouts, operations)], None
            case TokenMean():
                steps, own = [mean_step(node, self.layouts, operations)], None
            case Foreign():
                steps, own = [self._foreign(node)], None
            case _:
                raise AssertionError(node)  # `outsource` has made it a Foreign
        return [*steps, *self._conversions(node.output, codes=box is not None and own is None)]

    def _foreign(self, node: Foreign) -> Step:
        """Return the step of a node that is not typed: a look-up of ids, or a call of another library."""
        network = self.network
        found = embedding_of(node) if node.inputs == network.inputs and len(network.input_shape) == 1 else None
        if found is None or len(found.places) not in (1, *network.input_shape):
            return foreign_step(network, node, self.layouts, self.handed.get(node.name, 0), self.failures)
        self.words = min(self.words or len(found.table), len(found.table))
        ends = (node.inputs[0], node.output)
        return embedding_step(node.name, ends, found, self.layouts, network.dtypes[network.input])

    def _linear(self, node: Linear, out: Container | None, operations: int) -> list[Step]:
        source = codes_name(node.input)
        if node.input in self.boxes and node.name in self.weights:
            made = codes_name(node.output) if out else node.output
            return integer_linear_steps(
                node, self.weights[node.name], (self.boxes[node.input], out), (source, made), self.layouts,
                self.variant, operations,
            )  # fmt: skip
        quantized = None if self.integer else self.weights.get(node.name)
        fake = not self.integer and node.input in self.activations
        return [float_linear_step(node, quantized, self.layouts, self.variant, operations, fake=fake)]

    def _is_read_as_reals(self, tensor: str) -> bool:
        readers = self.network.consumers(tensor)
        as_codes = [isinstance(node, Linear) and node.name in self.weights and self.integer for node in readers]
        return tensor == self.network.output or not all(as_codes) or not readers

    def _enters_layer(self, tensor: str) -> bool:
        return any(isinstance(node, Linear) for node in self.network.consumers(tensor))

    def _float_parts(self, steps: list[Step]) -> str:
        """Return what runs in float32, with how often, in words."""
        counts: dict[str, int] = {}
        for step in steps:
            if not step.in_integers and not step.name.endswith((":fake", ":copy")):
                name, _, where = step.kind.partition("/")
                label = f"{name} through onnxruntime" if where == "onnxruntime" else name
                counts[label] = counts.get(label, 0) + 1
        return ", ".join(f"{count} {label}" for label, count in counts.items())
