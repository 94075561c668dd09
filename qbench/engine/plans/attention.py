"""Whether an attention runs on codes, and the step that it becomes."""

from __future__ import annotations

from functools import partial

from qbench.engine.container import Container
from qbench.engine.plans.kept import Kept, Make
from qbench.engine.steps.attention import MaskOf, Operands, attention_step, integer_attention_step
from qbench.graph.network import Attention

_MOST_TOKENS, _WORD = 2**15, 4
"""Keys whose products of two u8 codes sum to an int32; codes that are read as one word."""


def operands_of(node: Attention, kept: Kept) -> Operands | None:
    """Return the containers of what an attention multiplies where it runs on codes: all three have 8 bits."""
    boxes = [kept.boxes.get(tensor) for tensor in (node.query, node.key, node.value)]
    others, channels = kept.ready.network.shapes[node.key]
    if others // node.windows > _MOST_TOKENS or channels // node.heads % _WORD:
        return None
    whole = [box for box in boxes if box is not None and box.high > 127 and box.zero_point.is_integer()]
    return Operands(*whole) if len(whole) == len(boxes) else None


def place_attention(node: Attention, kept: Kept, box: Container | None, variants: tuple[str, str]) -> None:
    """Put the step of an attention behind the others.

    Args:
        node: the node.
        kept: the forms of the network's tensors.
        box: the container of its result, where that is written as codes.
        variants: of kernels on codes and of float ones.
    """
    boxes, operations = operands_of(node, kept), kept.ready.network.operations(node.name)
    operands = (node.query, node.key, node.value)
    reads = tuple(kept.need(tensor, "reals" if boxes is None else "codes") for tensor in operands)
    reads += () if node.mask is None else (kept.need(node.mask, "plain"),)
    mask = MaskOf.node(node, () if node.mask is None else kept.ready.network.shapes[node.mask])
    ends = (*reads, kept.write(node.output, "reals" if box is None else "codes"))
    make: Make
    if boxes is None:
        make = partial(attention_step, node, ends, mask=mask, box=box, variant=variants[1], operations=operations)
    else:
        make = partial(
            integer_attention_step,
            node,
            ends,
            mask=mask,
            boxes=(boxes, box),
            variant=variants[0],
            operations=operations,
        )
    kept.add(reads, ends[-1:], make)
