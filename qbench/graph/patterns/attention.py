"""Attention spelled as reshapes, transposes, two products and a softmax becomes an `Attention`."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.graph.nodes import Attention, Select
from qbench.graph.onnx.draft import Draft, Raw, writes
from qbench.graph.onnx.tensor_type import FLOAT
from qbench.graph.patterns.web import Web, factor, operator


@dataclass(frozen=True, slots=True)
class _Heads:
    """A tensor (tokens, c) cut into heads: where it came from, how its axes (batch, token, head, channel) now lie."""

    source: str
    order: tuple[int, ...]
    heads: int
    scale: float
    path: tuple[Draft, ...]
    part: int | None = None  # which third of `source` it is, where query, key and value come from one product


def fuse_attention(web: Web) -> None:
    """Replace every attention whose query, key and value are cut into heads from (tokens, c)."""
    for node in list(web.nodes):
        if isinstance(node, Raw) and operator(node) in ("Softmax", "Attention"):
            found = _attention(web, node) if operator(node) == "Softmax" else _operator(web, node)
            if found is not None:
                web.put(*found)


Found = tuple[tuple[Draft, ...], list[Draft]]


def _operator(web: Web, node: Raw) -> Found | None:
    """Read ONNX's own Attention of heads cut before it and joined after it."""
    reader = web.reader(node)
    plain = not reader.integer("is_causal", 0) and not reader.number("softcap", 0.0) and len(reader.outputs) == 1
    present = [reader.has(index) for index in range(len(node.protos[0].input))]
    if not plain or len(node.reads) != len(present) or present not in ([True] * 3, [True] * 4):
        return None
    parts = [_heads(web, tensor) for tensor in node.reads[:3]]
    joined = _joined(web, node)
    if joined is None or len(web.shape(node.reads[0])) != 3:
        return None
    query, key, value = parts
    if query is None or key is None or value is None or len({part.heads for part in (query, key, value)}) != 1:
        return None
    if any(part.order != (0, 2, 1, 3) for part in (query, key, value)) or value.scale != 1:
        return None
    end, tail = joined
    scale = reader.number("scale", web.shape(node.reads[0])[-1] ** -0.5) * query.scale * key.scale
    mask = node.reads[3] if len(node.reads) > 3 else None
    if mask is not None and web.types[mask].dtype != FLOAT:
        return None
    return _made(web, (query, key, value), mask, scale, inner=[node, *tail], end=end)


def _attention(web: Web, softmax: Raw) -> Found | None:
    rank = len(web.shape(softmax.output)) + 1
    if rank != 4 or web.reader(softmax).integer("axis", -1) not in (-1, 3):
        return None
    after = _after(web, softmax)
    before = _before(web, softmax.reads[0])
    if after is None or before is None:
        return None
    value, end, tail = after
    query, key, scale, mask, head = before
    if (query.order, key.order, value.order) != ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)):
        return None
    if len({query.heads, key.heads, value.heads}) != 1 or value.scale != 1:
        return None
    scale = scale * query.scale * key.scale
    return _made(web, (query, key, value), mask, scale, inner=[*head, softmax, *tail], end=end)


def _made(
    web: Web, parts: tuple[_Heads, _Heads, _Heads], mask: str | None, scale: float, *, inner: list[Draft], end: Draft
) -> Found | None:
    """Return the Attention, after a Select for each third of one product, and the nodes that it replaces."""
    region = _removable(web, [node for part in parts for node in part.path] + inner, end)
    if not {id(node) for node in inner} <= {id(node) for node in region}:
        return None
    sources: list[str] = []
    selects: list[Draft] = []
    for part, word in zip(parts, ("query", "key", "value"), strict=True):
        sources.append(part.source)
        if part.part is not None:
            width = web.shape(part.source)[-1] // 3
            channels = tuple(range(part.part * width, (part.part + 1) * width))
            sources[-1] = f"{end.output}:{word}"
            selects.append(Select(f"{end.name}.{word}" if end.name else word, part.source, sources[-1], channels))
    query, key, value = sources
    made = Attention(end.name or inner[0].name, query, key, value, mask, end.output, parts[0].heads, scale)
    return (*selects, made), region


def _removable(web: Web, region: list[Draft], end: Draft) -> list[Draft]:
    """Return the nodes of a region of which nothing outside what is returned reads anything, but of its end."""
    kept = list({id(node): node for node in region}.values())
    while True:
        left = [node for node in kept if node is end or all(web.is_inner(t, kept) for t in writes(node))]
        if len(left) == len(kept):
            return kept
        kept = left


def _after(web: Web, softmax: Raw) -> tuple[_Heads, Draft, list[Draft]] | None:
    """Follow the probabilities to the output: the product with the values, and the heads side by side again."""
    product = web.only_reader(softmax.output)
    if operator(product) != "MatMul" or not isinstance(product, Raw) or product.reads[:1] != (softmax.output,):
        return None
    if len(product.reads) != 2:
        return None
    value, joined = _heads(web, product.reads[1]), _joined(web, product)
    if value is None or joined is None:
        return None
    return value, joined[0], [product, *joined[1]]


def _joined(web: Web, mixed: Raw) -> tuple[Draft, list[Draft]] | None:
    """Return the node that puts the heads side by side again, and those on the way to it."""
    back = web.only_reader(mixed.output)
    if operator(back) != "Transpose" or not isinstance(back, Raw):
        return None
    joined = web.only_reader(back.output)
    if web.reader(back).several("perm") != (0, 2, 1, 3) or operator(joined) not in ("Reshape", "Flatten"):
        return None
    before = web.shape(back.output)
    if joined is None or len(before) != 3 or web.shape(joined.output) != (before[0], before[1] * before[2]):
        return None
    return joined, [back, joined]


def _before(web: Web, tensor: str) -> tuple[_Heads, _Heads, float, str | None, list[Draft]] | None:
    """Follow the scores back to the product of queries and keys, over one mask and any number of factors."""
    scale, mask = 1.0, None
    passed: list[Draft] = []
    while True:
        node = web.writer(tensor)
        number = factor(node)
        if node is not None and number is not None and mask is None:
            scale, tensor = scale * number, node.input  # type: ignore[union-attr]
        elif operator(node) == "Add" and isinstance(node, Raw) and mask is None and len(node.reads) == 2 and scale == 1:
            scores = [t for t in node.reads if _leads_to_product(web, t)]
            if len(scores) != 1:
                return None
            mask = node.reads[1] if scores[0] == node.reads[0] else node.reads[0]
            tensor = scores[0]
        elif node is not None and number is not None:
            scale, tensor = scale * number, node.input  # type: ignore[union-attr]
        else:
            break
        passed.append(node)
    if operator(node) != "MatMul" or not isinstance(node, Raw) or len(node.reads) != 2:
        return None
    query, key = _heads(web, node.reads[0]), _heads(web, node.reads[1])
    if query is None or key is None:
        return None
    return query, key, scale, mask, [node, *passed]


def _leads_to_product(web: Web, tensor: str) -> bool:
    node = web.writer(tensor)
    while factor(node) is not None:
        node = web.writer(node.input)  # type: ignore[union-attr]
    return operator(node) == "MatMul"


def _heads(web: Web, tensor: str) -> _Heads | None:
    """Follow a tensor (heads, ...) back to (tokens, c), over one reshape and any transposes and factors."""
    order: tuple[int, ...] = (0, 1, 2, 3)
    scale = 1.0
    path: list[Draft] = []
    while True:
        node = web.writer(tensor)
        if node is None:
            return None
        picked = _third(web, node)
        if picked is not None:
            order = tuple((0, 2, 1, 3)[axis] for axis in order)
            return _Heads(picked.source, order, picked.heads, scale, (*path, *picked.path), picked.part)
        path.append(node)
        number = factor(node)
        if number is not None:
            scale, tensor = scale * number, node.input  # type: ignore[union-attr]
        elif operator(node) == "Transpose" and isinstance(node, Raw):
            turn = web.reader(node).several("perm")
            if turn is None or len(turn) != 4:
                return None
            order, tensor = tuple(turn[axis] for axis in order), node.reads[0]
        elif operator(node) == "Reshape" and isinstance(node, Raw):
            source, cut = web.shape(node.reads[0]), web.shape(node.output)
            if len(cut) != 3 or source != (cut[0], cut[1] * cut[2]) or min(cut[1:]) < 1:
                return None
            return _Heads(node.reads[0], order, cut[1], scale, tuple(path))
        else:
            return None


def _third(web: Web, node: Draft) -> _Heads | None:
    """Read one of query, key and value, picked from (tokens, 3 * c) cut to (3, heads, tokens, channels)."""
    picked: list[Draft] = [node]
    if (
        operator(node) == "Squeeze"
        and isinstance(node, Raw)
        and operator(web.writer(node.reads[0])) in ("Slice", "Split")
    ):
        before = web.writer(node.reads[0])
        assert before is not None, "it has an operator"
        picked.append(before)
    last = picked[-1]
    if not isinstance(last, Raw) or operator(last) not in ("Gather", "Slice", "Split") or len(last.reads) != 1:
        return None
    index = _index(web, last, picked[0])
    turned = web.writer(last.reads[0])
    if index is None or operator(turned) != "Transpose" or not isinstance(turned, Raw):
        return None
    cut = web.writer(turned.reads[0])
    if web.reader(turned).several("perm") != (2, 0, 3, 1, 4) or operator(cut) != "Reshape" or not isinstance(cut, Raw):
        return None
    shape, source = web.shape(cut.output), web.shape(cut.reads[0])
    if len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < 1 or source != (shape[0], 3 * shape[2] * shape[3]):
        return None
    return _Heads(cut.reads[0], (), shape[2], 1.0, (*picked, turned, cut), index)


def _index(web: Web, pick: Raw, first: Draft) -> int | None:
    """Return which of three a Gather, Slice or Split along the first axis picks, None where it does something else."""
    reader = web.reader(pick)
    if operator(pick) == "Split":
        used = first.reads[0] if isinstance(first, Raw) else ""
        return reader.outputs.index(used) if reader.integer("axis", 0) == 0 and len(reader.outputs) == 3 else None
    if operator(pick) == "Gather":
        value = reader.constants.get(pick.protos[0].input[1])
        return int(value) % 3 if value is not None and value.ndim == 0 and reader.integer("axis", 0) == 0 else None
    bounds = [reader.constants.get(name) for name in pick.protos[0].input[1:]]
    numbers = [int(bound.reshape(-1)[0]) if bound is not None and bound.size == 1 else None for bound in bounds]
    if len(numbers) < 3 or None in numbers or numbers[2] != 0 or (len(numbers) > 3 and numbers[3] != 1):
        return None
    start, end = numbers[0], numbers[1]
    return start % 3 if start is not None and end is not None and end - start == 1 else None
