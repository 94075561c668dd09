"""Attention spelled as reshapes, transposes, two products and a softmax becomes an `Attention`.

Between the products exporters scale the scores, add a mask or a bias of places, and put 0 where a softmax of nothing
but -inf is no number. Tokens may be windows, whose first axis is several times the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from qbench.graph.nodes import Add, Attention, Floats, Select
from qbench.graph.onnx.draft import Draft, Raw, reads, writes
from qbench.graph.onnx.tensor_type import BATCH, FLOAT, TensorType
from qbench.graph.order import in_order
from qbench.graph.patterns.heads import Heads, heads_of, is_joined
from qbench.graph.patterns.rows import reshape
from qbench.graph.patterns.web import Web, operator, scaled

Found = tuple[tuple[Draft, ...], list[Draft]]
CUT, TURNED = (0, 2, 1, 3), (0, 2, 3, 1)
"""Axes of (batch, token, head, channel) as query and value have them, and as the key has them."""


@dataclass(slots=True)
class _Scores:
    """What stands between the product of queries and keys and the softmax: what is added after what is multiplied."""

    scale: float = 1.0
    mask: str | None = None
    bias: Floats | None = None
    passed: list[Draft] = field(default_factory=list)


def fuse_attention(web: Web) -> Web:
    """Return the web with an Attention for every one whose query, key and value are cut into heads from (tokens, c)."""
    for node in list(web.nodes):
        if isinstance(node, Raw) and operator(node) in ("Softmax", "Attention"):
            found = _attention(web, node) if operator(node) == "Softmax" else _operator(web, node)
            if found is not None:
                web.put(*found)
    return web.again(in_order(web.nodes, reads=reads, writes=writes)[0])


def _operator(web: Web, node: Raw) -> Found | None:
    """Read ONNX's own Attention of heads cut before it and joined after it."""
    reader = web.reader(node)
    plain = not reader.integer("is_causal", 0) and not reader.number("softcap", 0.0) and len(reader.outputs) == 1
    present = [reader.has(index) for index in range(len(node.protos[0].input))]
    if not plain or len(node.reads) != len(present) or present not in ([True] * 3, [True] * 4):
        return None
    if len(web.shape(node.reads[0])) != 3:
        return None
    scores = _Scores(reader.number("scale", web.shape(node.reads[0])[-1] ** -0.5))
    scores.mask = node.reads[3] if len(node.reads) > 3 else None
    return _made(web, tuple(node.reads[:3]), scores, CUT, node)


def _attention(web: Web, softmax: Raw) -> Found | None:
    times, shape = web.runs(softmax.output)
    if len(shape) != 3 or not times or web.reader(softmax).integer("axis", -1) not in (-1, 3):
        return None
    scores = _Scores()
    first = _product(web, softmax.reads[0], scores)
    weights = _without_nan(web, softmax, scores)
    second = web.only_reader(weights)
    if first is None or operator(second) != "MatMul" or not isinstance(second, Raw):
        return None
    if second.reads[:1] != (weights,) or len(second.reads) != 2:
        return None
    scores.passed += [first, softmax]
    return _made(web, (*first.reads, second.reads[1]), scores, TURNED, second)


def _made(web: Web, tensors: tuple[str, ...], scores: _Scores, turn: tuple[int, ...], mixed: Raw) -> Found | None:
    """Return the Attention, after a Select for each third of one product, and the nodes that it replaces."""
    joined, parts = _joined(web, mixed), [part for part in (heads_of(web, t) for t in tensors) if part is not None]
    if joined is None or [part.order for part in parts] != [CUT, turn, CUT]:
        return None
    query, key, value = parts
    if len({(part.heads, part.times) for part in parts}) != 1 or value.scale != 1 or not _is_read(web, scores.mask):
        return None
    end, tail = joined
    inner = [*scores.passed, mixed, *tail]
    if query.times > 1 and min(web.runs(query.source)[1]) < 1:
        return None
    region = _removable(web, [node for part in parts for node in part.path] + inner, end)
    if not {id(node) for node in inner} <= {id(node) for node in region}:
        return None
    made: list[Draft] = []
    sources = [_source(web, part, f"{end.output}:{word}", made) for part, word in zip(parts, WORDS, strict=True)]
    name, scale = end.name or mixed.name, scores.scale * query.scale * key.scale
    times, (tokens, channels) = web.runs(end.output)
    output = end.output if times == 1 else f"{end.output}:attended"
    ends = (sources[0], sources[1], sources[2], scores.mask, output)
    made.append(Attention(name, *ends, query.heads, scale, scores.bias, query.times))
    if times > 1:
        web.types[output] = TensorType(FLOAT, (BATCH, times * tokens, channels))
        made.append(reshape(web, output, end.output, (tokens, channels)))
    return tuple(made), region


WORDS = ("query", "key", "value")


def _source(web: Web, part: Heads, name: str, made: list[Draft]) -> str:
    """Return the rows of tokens that one of query, key and value is, after the nodes that make them, if any."""
    source, (times, (tokens, width)) = part.source, web.runs(part.source)
    if times > 1:
        source = f"{name}_rows"
        web.types[source] = TensorType(FLOAT, (BATCH, part.times * tokens, width))
        made.append(reshape(web, part.source, source, (part.times * tokens, width)))
    if part.part is None:
        return source
    channels = tuple(range(part.part * width // 3, (part.part + 1) * width // 3))
    made.append(Select(name, source, name, channels))
    return name


def _is_read(web: Web, mask: str | None) -> bool:
    """Whether a mask is one that an Attention reads, or none: float32, with the batch first and three axes behind."""
    return mask is None or (web.types[mask].dtype == FLOAT and len(web.shape(mask)) == 3)


def _removable(web: Web, region: list[Draft], end: Draft) -> list[Draft]:
    """Return the nodes of a region of which nothing outside what is returned reads anything, but of its end."""
    kept = list({id(node): node for node in region}.values())
    while True:
        left = [node for node in kept if node is end or all(web.is_inner(t, kept) for t in writes(node))]
        if len(left) == len(kept):
            return kept
        kept = left


def _without_nan(web: Web, softmax: Raw, scores: _Scores) -> str:
    """Return the softmax's weights, or these with 0 where they are no numbers: an Attention gives 0 by itself."""
    readers = web.readers(softmax.output)
    tests = [node for node in readers if operator(node) == "IsNaN"]
    if len(readers) != 2 or len(tests) != 1:
        return softmax.output
    chosen = web.only_reader(writes(tests[0])[0])
    if (
        not isinstance(chosen, Raw)
        or operator(chosen) != "Where"
        or chosen.reads != (*writes(tests[0]), softmax.output)
    ):
        return softmax.output
    zero = web.reader(chosen).constants.get(chosen.protos[0].input[1])
    if zero is None or zero.any():
        return softmax.output
    scores.passed += [tests[0], chosen]
    return chosen.output


def _joined(web: Web, mixed: Raw) -> tuple[Draft, list[Draft]] | None:
    """Return the node that puts the heads side by side again, and those on the way to it."""
    back = web.only_reader(mixed.output)
    if operator(back) != "Transpose" or not isinstance(back, Raw):
        return None
    joined = web.only_reader(back.output)
    if web.reader(back).several("perm") != CUT or operator(joined) not in ("Reshape", "Flatten") or joined is None:
        return None
    return (joined, [back, joined]) if is_joined(web, joined.output, back.output) else None


def _product(web: Web, tensor: str, scores: _Scores) -> Raw | None:
    """Follow the scores back to the product of queries and keys, over sums and factors."""
    while True:
        node, number = web.writer(tensor), scaled(web, web.writer(tensor))
        if node is None:
            return None
        if operator(node) == "MatMul" and isinstance(node, Raw):
            return node if len(node.reads) == 2 else None
        if number is not None:
            scores.scale, tensor = scores.scale * number[0], number[1]
        elif operator(node) == "Reshape" and isinstance(node, Raw) and _same_heads(web, node):
            tensor = node.reads[0]
        else:
            added = _without_added(web, node, scores)
            if added is None:
                return None
            tensor = added
        scores.passed.append(node)


def _same_heads(web: Web, node: Raw) -> bool:
    """Whether a Reshape only splits the windows off the batch, or takes them in again."""
    (times, before), (runs, after) = web.runs(node.reads[0]), web.runs(node.output)
    return before[-3:] == after[-3:] and times * int(np.prod(before)) == runs * int(np.prod(after)) > 0


def _without_added(web: Web, node: Draft, scores: _Scores) -> str | None:
    """Return the scores that a node adds a mask or fixed numbers to, and note these; None where it does neither."""
    if isinstance(node, Add) and node.activation is None:
        inputs: tuple[str, ...] = node.inputs
    elif isinstance(node, Raw) and operator(node) == "Add":
        inputs = node.reads
    else:
        return None
    if len(inputs) == 2:
        led = [tensor for tensor in inputs if _leads_to_product(web, tensor)]
        if len(led) != 1 or scores.mask is not None or scores.scale != 1:
            return None
        scores.mask = inputs[1] if led[0] == inputs[0] else inputs[0]
        return led[0]
    assert isinstance(node, Raw), "an Add reads two tensors"
    bias = _fixed(web, node)
    if bias is None:
        return None
    bias = bias * np.float32(scores.scale)
    scores.bias = bias if scores.bias is None else scores.bias + bias
    return inputs[0]


def _fixed(web: Web, node: Raw) -> Floats | None:
    """Return the constant that is added to scores as (windows, heads, tokens, tokens), None for others."""
    constants, shape = web.reader(node).constants, web.runs(node.output)[1]
    value = next((constants[name] for name in node.protos[0].input if name in constants), None)
    if value is None or value.dtype != np.float32 or len(shape) not in (3, 4) or value.ndim > len(shape) + 1:
        return None
    whole = value.reshape((1,) * (len(shape) + 1 - value.ndim) + value.shape)
    if len(whole) != 1 or whole.shape[-1] != shape[-1]:
        return None
    return np.ascontiguousarray(whole if len(shape) == 3 else whole[0])


def _leads_to_product(web: Web, tensor: str) -> bool:
    node = web.writer(tensor)
    while True:
        number = scaled(web, node)
        if number is None:
            return operator(node) == "MatMul"
        node = web.writer(number[1])
