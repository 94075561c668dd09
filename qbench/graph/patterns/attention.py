"""Attention spelled as reshapes, transposes, two products and a softmax becomes an `Attention`."""

from __future__ import annotations

from dataclasses import dataclass

from qbench.graph.draft import Draft, Raw
from qbench.graph.nodes import Attention
from qbench.graph.patterns.web import Web, factor, operator


@dataclass(frozen=True, slots=True)
class _Heads:
    """A tensor (tokens, c) cut into heads: where it came from, how its axes (batch, token, head, channel) now lie."""

    source: str
    order: tuple[int, ...]
    heads: int
    scale: float
    path: tuple[Draft, ...]


def fuse_attention(web: Web) -> None:
    """Replace every attention whose query, key and value are cut into heads from (tokens, c)."""
    for node in list(web.nodes):
        if operator(node) == "Softmax" and isinstance(node, Raw):
            found = _attention(web, node)
            if found is not None:
                made, end, region = found
                web.put({id(end): made}, region)


def _attention(web: Web, softmax: Raw) -> tuple[Attention, Draft, list[Draft]] | None:
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
    region: list[Draft] = [*query.path, *key.path, *value.path, *head, softmax, *tail]
    kept = [node for node in region if web.is_inner(node.output, region) or node is end]
    if not all(id(node) in {id(k) for k in kept} for node in (*head, softmax, *tail)):
        return None
    made = Attention(
        end.name or softmax.name, query.source, key.source, value.source, mask, end.output, query.heads,
        scale * query.scale * key.scale,
    )  # fmt: skip
    return made, end, kept


def _after(web: Web, softmax: Raw) -> tuple[_Heads, Draft, list[Draft]] | None:
    """Follow the probabilities to the output: the product with the values, and the heads side by side again."""
    product = web.only_reader(softmax.output)
    if operator(product) != "MatMul" or not isinstance(product, Raw) or product.reads[:1] != (softmax.output,):
        return None
    if len(product.reads) != 2:
        return None
    value = _heads(web, product.reads[1])
    back = web.only_reader(product.output)
    if value is None or operator(back) != "Transpose" or not isinstance(back, Raw):
        return None
    joined = web.only_reader(back.output)
    if web.reader(back).several("perm") != (0, 2, 1, 3) or operator(joined) not in ("Reshape", "Flatten"):
        return None
    before = web.shape(back.output)
    if joined is None or len(before) != 3 or web.shape(joined.output) != (before[0], before[1] * before[2]):
        return None
    return value, joined, [product, back, joined]


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
