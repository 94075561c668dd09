"""Query, key and value of an attention, followed back to the rows of tokens that are cut into heads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qbench.graph.onnx.draft import Draft, Raw
from qbench.graph.patterns.web import Web, operator, scaled


@dataclass(frozen=True, slots=True)
class Heads:
    """A tensor (tokens, c) cut into heads: where it came from, how its axes (batch, token, head, channel) now lie."""

    source: str
    order: tuple[int, ...]
    heads: int
    scale: float
    path: tuple[Draft, ...]
    times: int = 1  # how many runs of tokens there are for each sample
    part: int | None = None  # which third of `source` it is, where query, key and value come from one product


def heads_of(web: Web, tensor: str) -> Heads | None:
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
            return replace(picked, order=order, scale=scale, path=(*path, *picked.path))
        path.append(node)
        number = scaled(web, node)
        if number is not None:
            scale, tensor = scale * number[0], number[1]
        elif operator(node) == "Transpose" and isinstance(node, Raw):
            turn = web.reader(node).several("perm")
            if turn is None or len(turn) != 4:
                return None
            order, tensor = tuple(turn[axis] for axis in order), node.reads[0]
        elif operator(node) == "Reshape" and isinstance(node, Raw):
            runs, cut = web.runs(node.output)
            if len(cut) != 3 or min(cut[1:]) < 1 or not is_joined(web, node.reads[0], node.output):
                return None
            return Heads(node.reads[0], order, cut[1], scale, tuple(path), runs)
        else:
            return None


def is_joined(web: Web, rows: str, cut: str) -> bool:
    """Whether rows of tokens (tokens, c) hold what is cut to (tokens, heads, channels), windows cut off or not."""
    (times, whole), (runs, parts) = web.runs(rows), web.runs(cut)
    if len(whole) != 2 or len(parts) != 3 or whole[1] != parts[1] * parts[2] or not runs:
        return False
    return whole[0] == parts[0] if times == runs else times == 1 and whole[0] == runs * parts[0] > 0


def _third(web: Web, node: Draft) -> Heads | None:
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
    (runs, shape), (times, source) = web.runs(cut.output), web.runs(cut.reads[0])
    if len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < 1 or source != (shape[0], 3 * shape[2] * shape[3]):
        return None
    if not times == runs > 0:
        return None
    return Heads(cut.reads[0], (), shape[2], 1.0, (*picked, turned, cut), times, index)


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
