"""Chains of reshapes and transposes that do no more than one move become one: an alias, a `Select`, a transpose."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
from onnx import helper

from qbench.graph.nodes import Flatten, Select, Shape
from qbench.graph.onnx.draft import Alias, Draft, Raw
from qbench.graph.onnx.tensor_type import BATCH
from qbench.graph.patterns.web import Web, operator

_MOVES = frozenset({"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"})
MOST_NODES = 6
MOST_NUMBERS = 2**22
Places = npt.NDArray[np.int64]


def fuse_moves(web: Web) -> None:
    """Replace every chain that does what one node can do; the longest chain from each start."""
    merged: set[int] = set()
    for start in list(web.nodes):
        if operator(start) in _MOVES and isinstance(start, Raw) and id(start) not in merged:
            found = _chain(web, start)
            if found is not None:
                made, chain = found
                merged.update(id(node) for node in chain)
                web.put(made, chain)


def fuse_flattened(web: Web) -> None:
    """Let what flattens a turned image flatten the image itself, and pick the numbers in the other order."""
    for node in list(web.nodes):
        turned = web.writer(node.input) if isinstance(node, Flatten) else None
        if not isinstance(node, Flatten) or not isinstance(turned, Raw) or operator(turned) != "Transpose":
            continue
        perm, shape = web.reader(turned).several("perm"), web.shape(turned.reads[0])
        if perm is None or perm[0] != 0 or len(shape) != 3 or web.only_reader(turned.output) is not node:
            continue
        if not 0 < math.prod(shape) <= MOST_NUMBERS or min(shape) < 1:
            continue
        places = np.arange(math.prod(shape)).reshape(shape).transpose([axis - 1 for axis in perm[1:]])
        flat = f"{node.output}:flat"
        channels = tuple(int(place) for place in places.reshape(-1))
        made = (Flatten(node.name, turned.reads[0], flat), Select(node.name, flat, node.output, channels))
        web.put(made, [turned, node])


def _chain(web: Web, start: Raw) -> tuple[Draft, list[Raw]] | None:
    """Follow a chain, moving the number of every element along with it."""
    kind = web.types.get(start.inputs[0]) if start.inputs else None
    if kind is None or not kind.has_batch or kind.dims is None:
        return None
    numbers = itertools.count(2)
    sizes = {size: 2 if size == BATCH else 3 + next(numbers) for size in dict.fromkeys(kind.dims) if size < 0}
    source = tuple(sizes.get(size, size) for size in kind.dims)
    if math.prod(source) > MOST_NUMBERS:
        return None
    places: Places = np.arange(math.prod(source)).reshape(source)
    chain: list[Raw] = []
    best: tuple[Draft, list[Raw]] | None = None
    node: Draft | None = start
    while isinstance(node, Raw) and operator(node) in _MOVES and len(chain) < MOST_NODES:
        moved = _moved(web, node, places, sizes)
        if moved is None:
            break
        places = moved
        chain.append(node)
        made = _as_one(web, start, node, places, source) if len(chain) > 1 else None
        best = best if made is None else (made, list(chain))
        node = web.only_reader(node.output)
    return best


def _moved(web: Web, node: Raw, places: Places, sizes: dict[int, int]) -> Places | None:
    if operator(node) == "Transpose":
        order = web.reader(node).several("perm")
        return None if order is None or len(order) != places.ndim else places.transpose(order)
    dims = web.types[node.output].dims if node.output in web.types else None
    if dims is None:
        return None
    target = [sizes.get(size, size if size > 0 else -1) for size in dims]
    if target.count(-1) > 1 or places.size % max(1, -math.prod(target) if -1 in target else math.prod(target)):
        return None
    return places.reshape(target) if -1 in target or math.prod(target) == places.size else None


def _as_one(web: Web, start: Raw, end: Raw, places: Places, source: Shape) -> Draft | None:
    """Return the one node that moves all elements to these places, None where there is none."""
    straight = np.arange(places.size).reshape(source)
    tensor = start.reads[0]
    if places.shape == source and np.array_equal(places, straight):
        return Alias(start.name, tensor, end.output)
    if places.ndim == 2 and len(source) == 4 and np.array_equal(places, straight.reshape(source[0], -1)):
        return Flatten(start.name, tensor, end.output)
    if places.shape == source and places.ndim == 4:
        channels = places[0, :, 0, 0] // (source[2] * source[3])
        if np.array_equal(places, straight[:, channels]):
            return Select(start.name, tensor, end.output, tuple(int(channel) for channel in channels))
    for order in itertools.permutations(range(1, len(source))) if len(source) <= 5 else ():
        perm = (0, *order)
        turned = straight.transpose(perm)
        if turned.shape == places.shape and np.array_equal(turned, places) and operator(end) != "":
            proto = helper.make_node("Transpose", [start.inputs[0]], [end.output], name=end.protos[0].name, perm=perm)
            return Raw(end.name, (proto,), start.inputs[:1], (tensor,), (end.output,), end.reason)
    return None
