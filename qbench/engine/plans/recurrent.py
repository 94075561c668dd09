"""What computes a recurrence's product with its hidden state, which for kernels is a Linear over one row at a time."""

from __future__ import annotations

from functools import partial

from qbench.engine.lowering.groups import Part
from qbench.engine.lowering.layers import lower
from qbench.engine.lowering.numbers import NotIntegerError
from qbench.engine.lowering.params import Ends
from qbench.engine.lowering.products import counts_bits
from qbench.engine.plans.forms import why_float
from qbench.engine.plans.kept import Kept
from qbench.engine.steps.layers import float_layer_step, integer_layer_step
from qbench.engine.steps.recurrent import BITS, CODES, FAKE, HIDDEN, PRODUCT, HiddenProduct, recurrent_step
from qbench.graph.network import Linear, Recurrent, inputs_of, outputs_of
from qbench.graph.passes.rewire import rewire


def place_recurrent(node: Recurrent, kept: Kept, variant: str, floats: str) -> str:
    """Put the step of a recurrence behind the others.

    Args:
        node: the node.
        kept: the forms of the network's tensors.
        variant: kernel variant of its product in integers.
        floats: the same in float32.

    Returns:
        Why its product does not run in integers, "" where it does.
    """
    why = ""
    try:
        product = integer_product(node, kept, variant)
    except NotIntegerError as reason:
        why, product = str(reason), float_product(node, kept, floats)
    names = {tensor: kept.need(tensor, "reals") for tensor in inputs_of(node)}
    names |= {tensor: kept.write(tensor, "reals") for tensor in outputs_of(node)}
    moved, operations = rewire(node, names), kept.ready.network.operations(node.name)
    make = partial(recurrent_step, moved, product, operations=operations)
    kept.add(inputs_of(moved), outputs_of(moved), make)
    return why


def integer_product(node: Recurrent, kept: Kept, variant: str) -> HiddenProduct:
    """Return the product in integers; raise NotIntegerError with the reason where it has none."""
    codes, box = kept.quantized.weights.get(node.name), kept.boxes.get(node.input)
    if not kept.integer or codes is None:
        raise NotIntegerError(f"layer '{node.name}' keeps float32 weights")
    if box is None:
        raise NotIntegerError(why_float(kept.quantized, node.input))
    lowered = lower(_linear(node, CODES), codes, Ends(box, None), counts=counts_bits(variant))
    packed = lowered.product if lowered.product.is_words else None
    part = Part(_linear(node, CODES if packed is None else BITS))
    zero = packed is None and box.zero_point == 0
    make = partial(integer_layer_step, part, lowered, variant=variant, operations=0, zero_padding=zero)
    return HiddenProduct(make, box, packed)


def float_product(node: Recurrent, kept: Kept, variant: str) -> HiddenProduct:
    """Return the product in float32, of what the codes of weights and state stand for where they have any."""
    codes = kept.quantized.weights.get(node.name)
    fake = kept.params(node.input) if codes is not None or not kept.integer else None
    part = Part(_linear(node, HIDDEN if fake is None else FAKE))
    return HiddenProduct(partial(float_layer_step, part, codes, variant=variant, operations=0), fake=fake)


def _linear(node: Recurrent, source: str) -> Linear:
    return Linear(node.name, source, PRODUCT, node.weight, node.bias)
