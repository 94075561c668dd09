"""What computes each node, and in which form it reads and writes tensors: integers wherever there are codes.

A layer with codes runs in integers if its input is quantized; it writes codes where its output is, float32 numbers
otherwise. Nodes without weights run on codes where all they read and write is quantized. Everything else is float, and
conversions stand between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from qbench.core.accumulator import Accumulator
from qbench.engine.container import Container
from qbench.engine.kinds import ON_CODES
from qbench.engine.lowering.groups import Part, lower_parts, part_name, parts_of
from qbench.engine.lowering.layers import Lowered, lower_bytes
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.engine.lowering.products import counts_bits
from qbench.engine.plans.attention import operands_of, place_attention
from qbench.engine.plans.dynamic import place_dynamic
from qbench.engine.plans.foreign import place_foreign
from qbench.engine.plans.forms import Form, is_image
from qbench.engine.plans.kept import Kept, Make
from qbench.engine.plans.recurrent import place_recurrent
from qbench.engine.plans.wide import Operand, place_wide
from qbench.engine.steps import floats, integer, tokens
from qbench.engine.steps.image_norms import image_norm_step
from qbench.engine.steps.layers import float_layer_step, integer_layer_step
from qbench.engine.steps.other import Other, float_step, integer_step
from qbench.engine.windows import has_own_windows
from qbench.errors import QBenchError
from qbench.graph.network import (
    Activation,
    Add,
    Attention,
    Conv,
    Flatten,
    Foreign,
    Hadamard,
    ImageNorm,
    Layer,
    LayerNorm,
    Linear,
    Node,
    Pool,
    Recurrent,
    Softmax,
    TokenMean,
    Unary,
    inputs_of,
    outputs_of,
)
from qbench.graph.passes.rewire import rewire


@dataclass(slots=True)
class Arranger:
    """Goes through a network's nodes in order and says what computes each.

    Args:
        kept: the forms of its tensors; the steps are put there.
        variant: kernel variant of integer layers.
        floats: kernel variant of float ones.
        reasons: layer -> why it does not run in integers.
        failures: where Foreign nodes leave what goes wrong.
        words: ids of the input must be below it; 0 where no step looks any up.
        accumulator: bits of the sums of integer layers where narrower ones are simulated.
    """

    kept: Kept
    variant: str
    floats: str
    reasons: dict[str, str] = field(default_factory=dict)
    failures: list[QBenchError] = field(default_factory=list)
    words: int = 0
    accumulator: Accumulator | None = None
    _added: dict[str, Add] = field(default_factory=dict)

    def run(self) -> None:
        """Put the steps of all nodes into `kept`."""
        network = self.kept.ready.network
        self._find_sums()
        for node in network.nodes:
            self._place(node)

    def _place(self, node: Node) -> None:
        if self.kept.owner(node.output) != node.output or node.output in self._added:
            return  # a flattened pixel is what it was; the layer norm behind a sum takes it in
        if isinstance(node, Recurrent):
            if why := place_recurrent(node, self.kept, self.variant, self.floats):
                self.reasons[node.name] = why
        elif isinstance(node, Layer):
            self._layer(node)
        elif isinstance(node, Foreign):
            self.words = min(filter(None, (self.words, place_foreign(node, self.kept, self.failures))), default=0)
        elif isinstance(node, Attention):
            box = self.kept.boxes.get(node.output) if self._writes_codes(node.output) else None
            place_attention(node, self.kept, box, (self.variant, self.floats))
        elif isinstance(node, LayerNorm | ImageNorm | Hadamard) or self._is_gelu_of_rows(node):
            self._row_step(node)
        elif isinstance(node, ON_CODES) and self._runs_on_codes(node):
            self._on_codes(node)
        else:
            self._in_float(node)

    def _operations(self, node: Node) -> int:
        return self.kept.ready.network.operations(node.name)

    def _find_sums(self) -> None:
        """Find the additions that a layer norm takes in: nothing else reads them."""
        network = self.kept.ready.network
        for node in network.nodes:
            if isinstance(node, Add) and node.activation is None and node.output not in network.outputs:
                readers = network.consumers(node.output)
                if len(readers) == 1 and isinstance(readers[0], LayerNorm) and not self.kept.params(node.output):
                    self._added[node.output] = node

    def _layer(self, node: Layer) -> None:
        """Put a layer's steps: in integers if it has such a form, else in float, with the reason."""
        try:
            self._integer_layer(node)
        except NotIntegerError as why:
            self.reasons[node.name] = str(why)
            self._float_layer(node)

    def _integer_layer(self, node: Layer) -> None:
        kept, residual = self.kept, node.residual if isinstance(node, Conv) else None
        if not kept.integer or node.name not in kept.quantized.weights:
            raise NotIntegerError(f"layer '{node.name}' keeps float32 weights")
        box = kept.boxes.get(node.input)
        if box is None and node.input in kept.wide:
            return place_wide(self, node, kept.wide[node.input])
        if box is None:
            return place_dynamic(self, node)
        if residual is None or residual in kept.boxes:
            own = kept.boxes.get(node.output) if self._writes_codes(node.output) else None
            lowered = self.lowered(node, Ends(box, own, kept.boxes[residual] if residual else None))
            return self.product(node, lowered, box, kept.write(node.output, "codes" if own else "reals"))
        assert isinstance(node, Conv)
        bare = replace(node, residual=None, activation=None)
        lowered, target = self.lowered(bare, Ends(box, None)), kept.sum_of(node.output)
        self.product(bare, lowered, box, target)
        beside = kept.need(residual, "reals")
        total = Add(f"{node.name}:add", (target, beside), kept.write(node.output, "reals"), node.activation)
        kept.add(total.inputs, (total.output,), partial(floats.elementwise_step, total, operations=0))

    def lowered(self, node: Layer, ends: Ends) -> list[tuple[Part, Lowered]]:
        """Return the parts of a layer and what kernels are asked for; raise NotIntegerError where it has no form."""
        if ends.out is None and has_own_windows(node):
            raise NotIntegerError("its output stays in float32, and kernels for one channel each write codes")
        weights = self.kept.quantized.weights[node.name]
        if self.accumulator is not None:
            return [(part, lower_bytes(part.layer, part.of(weights), ends)) for part in parts_of(node)]
        return lower_parts(node, weights, ends, counts=counts_bits(self.variant))

    def product(
        self, node: Layer, parts: list[tuple[Part, Lowered]], box: Container, target: str, *,
        operand: Operand | None = None,
    ) -> None:  # fmt: skip
        """Put the steps of an integer layer that write `target`, behind the packing of bits."""
        kept, (_, first) = self.kept, parts[0]
        words = first.product.is_words
        if operand is None:
            operand = Operand(kept.packed(node.input, first.product) if words else kept.need(node.input, "codes"))
        residual = node.residual if isinstance(node, Conv) else None
        beside = kept.need(residual, "codes") if residual else None
        zero = not words and first.groups == 1 and box.zero_point == 0
        operations = self._operations(node) // len(parts) // operand.of
        narrow = None if self.accumulator is None else (self.accumulator, int(box.zero_point))
        for place, (part, lowered) in enumerate(parts, 1):
            moved = part.moved(
                operand.buffer, beside, target, name=part_name(node.name + operand.word, place, len(parts))
            )
            kept.add(inputs_of(moved.layer), (target,), partial(
                integer_layer_step, moved, lowered, variant=self.variant, operations=operations,
                zero_padding=zero, narrow=narrow,
            ))  # fmt: skip

    def _float_layer(self, node: Layer) -> None:
        kept = self.kept
        codes = kept.quantized.weights.get(node.name)
        is_fake = (codes is not None or not kept.integer) and kept.params(node.input) is not None
        form: Form = "fake" if is_fake and not kept.for_everyone(kept.owner(node.input)) else "reals"
        source = kept.need(node.input, form)
        residual = node.residual if isinstance(node, Conv) else None
        beside = kept.need(residual, "reals") if residual else None
        target = kept.write(node.output, "reals")
        parts = (Part(node),) if has_own_windows(node) else parts_of(node)
        for place, part in enumerate(parts, 1):
            moved = part.moved(source, beside, target, name=part_name(node.name, place, len(parts)))
            kept.add(inputs_of(moved.layer), (target,), partial(
                float_layer_step, moved, None if codes is None else part.of(codes), variant=self.floats,
                operations=self._operations(node) // len(parts),
            ))  # fmt: skip

    def _writes_codes(self, tensor: str) -> bool:
        """Whether what makes a tensor writes it as codes: all that read it take those, or get what they stand for."""
        return tensor in self.kept.boxes and (self.kept.for_everyone(tensor) or self._read_as_codes(tensor))

    def _read_as_codes(self, tensor: str) -> bool:
        kept = self.kept
        readers = kept.ready.network.consumers(tensor)
        wanted = all(self._takes_codes(node, tensor) for node in readers)
        return kept.integer and bool(readers) and wanted and tensor not in kept.ready.network.outputs

    def _takes_codes(self, node: Node, tensor: str) -> bool:
        """Whether a node of a network over tokens reads a tensor's codes, not its numbers."""
        if isinstance(node, Attention):
            return tensor != node.mask and operands_of(node, self.kept) is not None
        return isinstance(node, Conv | Linear) and node.name in self.kept.quantized.weights

    def _runs_on_codes(self, node: Node) -> bool:
        kept = self.kept
        boxed = all(tensor in kept.boxes for tensor in (*inputs_of(node), node.output))
        return (
            boxed
            and not kept.is_output(node.output)
            and (any(kept.has_codes(tensor) for tensor in inputs_of(node)) or self._enters_codes(node.output))
        )

    def _enters_codes(self, tensor: str) -> bool:
        """Whether a layer with codes reads a tensor."""
        readers = self.kept.ready.network.consumers(tensor)
        return any(isinstance(node, Conv | Linear) and node.name in self.kept.quantized.weights for node in readers)

    def _on_codes(self, node: Node) -> None:
        kept = self.kept
        names = {tensor: kept.need(tensor, "codes") for tensor in inputs_of(node)}
        names[node.output] = kept.write(node.output, "codes")
        boxes = {names[tensor]: kept.boxes[tensor] for tensor in names}
        moved, operations = rewire(node, names), self._operations(node)
        make: Make
        match moved:
            case Add():
                make = partial(integer.add_step, moved, boxes, operations=operations)
            case Activation():
                make = partial(integer.clamp_step, moved, boxes, operations=operations)
            case Pool():
                make = partial(integer.pool_step, moved, boxes, operations=operations)
            case Flatten():
                make = partial(integer.flatten_step, moved)
            case _:
                assert isinstance(moved, Other)
                make = partial(integer_step, moved, boxes, operations=operations)
        self._add(moved, make)

    def _in_float(self, node: Node) -> None:
        kept = self.kept
        names = {tensor: kept.need(tensor, "reals") for tensor in inputs_of(node)}
        raw = not isinstance(node, Flatten) or kept.is_raw(node.input)
        names[node.output] = kept.write(node.output, "reals", raw=raw)
        moved, operations = rewire(node, names), self._operations(node)
        make: Make
        match moved:
            case Add() | Activation():
                make = partial(floats.elementwise_step, moved, operations=operations)
            case Pool():
                make = partial(floats.pool_step, moved, operations=operations)
            case Flatten():
                make = partial(integer.flatten_step, moved)
            case Softmax():
                make = partial(tokens.softmax_step, moved, operations=operations)
            case TokenMean():
                make = partial(tokens.mean_step, moved, operations=operations)
            case _:
                assert isinstance(moved, Other)
                make = partial(float_step, moved, operations=operations)
        self._add(moved, make)

    def _add(self, moved: Node, make: Make) -> None:
        stays = isinstance(moved, Flatten)  # no stage ends between a flattened tensor and its reader
        self.kept.add(inputs_of(moved), outputs_of(moved), make, beside=stays)

    def _is_gelu_of_rows(self, node: Node) -> bool:
        ready = self.kept.ready
        return isinstance(node, Unary) and node.function in tokens.GELU and not is_image(
            ready.network, node.input, ready.grids
        )  # fmt: skip

    def _row_step(self, node: Node) -> None:
        """Put a step over rows that can write codes itself, where nothing reads its numbers."""
        kept, operations = self.kept, self._operations(node)
        added = self._added.get(inputs_of(node)[0])
        reads = tuple(kept.need(tensor, "reals") for tensor in (inputs_of(node) if added is None else added.inputs))
        box = kept.boxes.get(node.output) if self._writes_codes(node.output) else None
        target = kept.write(node.output, "reals" if box is None else "codes")
        make: Make
        match node:
            case ImageNorm():
                make = partial(image_norm_step, node, (reads[0], target), box=box, operations=operations)
            case LayerNorm():
                make = partial(tokens.layer_norm_step, node, reads, target, box=box, operations=operations)
            case Hadamard():
                make = partial(tokens.hadamard_step, node, (reads[0], target), box=box, operations=operations)
            case _:
                assert isinstance(node, Unary)
                make = partial(tokens.gelu_step, node, (reads[0], target), box=box, operations=operations)
        kept.add(reads, (target,), make)
