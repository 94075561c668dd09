"""LSTM and GRU as a Linear over all time steps at once, and a `Recurrent` for what must go step by step.

The file has its tokens first, (tokens, batch, c), or with `layout` 1 the batch; what stands between two recurrences is
seen with the batch first, and the Transposes around it cancel out (`moves`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import AttributeProto, NodeProto, helper, numpy_helper

from qbench.graph.nodes import Concat, Floats, Linear, Recurrent
from qbench.graph.onnx.draft import Draft, Raw, UntypedError, reads, writes
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.tensor_type import BATCH, FLOAT, TensorType
from qbench.graph.order import in_order
from qbench.graph.patterns.web import Web, operator
from qbench.graph.row_nodes import GATES, STATES, Cell

_TURNED = (1, 0, 2)
_FUNCTIONS: dict[Cell, tuple[str, ...]] = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh")}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_PASSED_ON = frozenset({
    "Cast", "Expand", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze",
})  # fmt: skip
"""Operators that give zeros where their first input is nothing else."""
SEQUENCE_LENGTHS, INITIAL_STATES = 4, 5
"""Inputs of both operators, by number."""


def split_recurrences(web: Web) -> list[Draft]:
    """Return the nodes with a Linear and a `Recurrent` for each direction in the place of an LSTM or GRU."""
    made: list[Draft] = []
    found = False
    for node in web.nodes:
        if not isinstance(node, Raw) or operator(node) not in GATES:
            made.append(node)
            continue
        try:
            made += _Split(web, node).run()
            found = True
        except UntypedError as why:
            made.append(replace(node, reason=web.reader(node).raw(str(why)).reason))
    return in_order(made, reads=reads, writes=writes)[0] if found else made


class _Split:
    """What one LSTM or GRU becomes."""

    def __init__(self, web: Web, node: Raw) -> None:
        self._web, self._node, self._reader = web, node, web.reader(node)
        self._cell: Cell = "LSTM" if self._reader.op == "LSTM" else "GRU"
        self._made: list[Draft] = []
        scope = self._reader.scope().removesuffix(".hidden")
        self._scope = scope if scope and scope != "hidden" else self._cell.lower()

    def run(self) -> list[Draft]:
        """Return the nodes; raise UntypedError with the reason where it has another form."""
        reader = self._reader
        turns = _DIRECTIONS.get(reader.word("direction", "forward"))
        weights = [reader.floats(number, what, rank=3) for number, what in ((1, "weight"), (2, "recurrent weight"))]
        if turns is None or {len(weight) for weight in weights} != {len(turns)}:
            raise reader.fail(f"its weights {[weight.shape for weight in weights]} are not those of its direction")
        rows, depth = weights[1].shape[1:]
        if rows != GATES[self._cell] * depth or weights[0].shape[1] != rows:
            raise reader.fail(f"its weights {[weight.shape for weight in weights]} do not fit together")
        bias = reader.floats(3, "bias", rank=2) if reader.has(3) else np.zeros((len(turns), 2 * rows), np.float32)
        if bias.shape != (len(turns), 2 * rows):
            raise reader.fail(f"its bias {bias.shape} does not fit its weights")
        first = reader.integer("layout", 0) == 1
        source, tokens = self._source(weights[0].shape[2], batch_first=first)
        _check_form(self._cell, reader, tokens, len(turns))
        states = [self._state(number, len(turns), depth, batch_first=first) for number in range(STATES[self._cell])]
        ends = []
        for turn, reverse in enumerate(turns):
            name = f"{self._scope}.reverse" if turn else self._scope
            pair = (weights[0][turn], weights[1][turn])
            begin = tuple(state[turn] for state in states)
            ends.append(self._direction(name, source, pair, bias[turn], begin, reverse=reverse))
        self._write(ends, tokens, batch_first=first)
        return self._made

    def _source(self, channels: int, *, batch_first: bool) -> tuple[str, int]:
        """Return the input as (batch, tokens, c), and its tokens."""
        tensor, web = self._node.reads[0], self._web
        kind = web.types.get(self._node.protos[0].input[0], TensorType(0, None))
        if kind.dtype != FLOAT or kind.dims is None or len(kind.dims) != 3 or kind.dims[2] != channels:
            raise UntypedError(f"its input is {kind.dtype_name} of shape {kind.dims}")
        dims = kind.dims if batch_first else tuple(kind.dims[axis] for axis in _TURNED)
        if dims[0] != BATCH and web.multiples.get(dims[0]) != 1:
            raise UntypedError(f"its input {kind.dims} has no batch that is free")
        if dims[1] < 1:
            raise UntypedError("how many tokens it goes through is free (fix it by --shape)")
        if batch_first:
            return tensor, dims[1]
        return self._moved(tensor, f"{self._node.output}:source", dims[1:], perm=_TURNED), dims[1]

    def _state(self, number: int, turns: int, depth: int, *, batch_first: bool) -> tuple[str, ...]:
        """Return a state at the beginning as a tensor for each direction, "" for zeros."""
        reader, place = self._reader, INITIAL_STATES + number
        if not reader.has(place) or _is_zero(self._web, str(reader.proto.input[place])):
            return ("",) * turns
        name = str(reader.proto.input[place])
        if name in reader.constants:
            raise UntypedError("its states at the beginning are constants other than zero")
        tensor = dict(zip(self._node.inputs, self._node.reads, strict=True))[name]
        made = f"{self._node.output}:first{number}"
        if not batch_first:
            tensor = self._moved(tensor, made, (turns, depth), perm=_TURNED)
        if turns == 1:
            return (tensor,)
        return tuple(self._picked(tensor, f"{made}.{turn}", turn, depth) for turn in range(turns))

    def _picked(self, tensor: str, made: str, turn: int, depth: int) -> str:
        """Return the state of one direction out of (batch, directions, k)."""
        index = self._web.constant(f"{made}:index", np.asarray(turn, np.int64))
        proto = helper.make_node("Gather", [tensor, index], [made], name=made, axis=1)
        return self._raw(proto, tensor, made, (depth,))

    def _direction(
        self, name: str, source: str, weights: tuple[Floats, Floats], bias: Floats, first: tuple[str, ...], *,
        reverse: bool,
    ) -> Recurrent:  # fmt: skip
        """Add a direction: the product of its input, and what goes step by step."""
        (weight, recurrent), rows, end = weights, len(weights[1]), f"{self._node.output}:{name}"
        gates = f"{end}:gates"
        self._made.append(Linear(f"{name}.input", source, gates, weight, bias[:rows]))
        last = tuple(f"{end}:last{number}" for number in range(len(first)))
        node = Recurrent(
            f"{name}.hidden", self._cell, gates, f"{end}:before", end, recurrent, bias[rows:], first, last, reverse
        )
        self._made.append(node)
        return node

    def _write(self, ends: list[Recurrent], tokens: int, *, batch_first: bool) -> None:
        """Add what makes the operator's own outputs of those of its directions."""
        names, depth, turns = self._node.protos[0].output, ends[0].weight.shape[1], len(ends)
        all_steps = tuple(node.output for node in ends)
        lasts = [tuple(node.last[number] for node in ends) for number in range(STATES[self._cell])]
        for place, parts in enumerate((all_steps, *lasts)):
            if place >= len(names) or not names[place]:
                continue
            shape = (tokens, turns, depth) if place == 0 else (turns, depth)
            perm = (1, 2, 0, 3) if place == 0 else _TURNED
            self._joined(parts, str(names[place]), shape, perm=None if batch_first else perm)

    def _joined(
        self, parts: tuple[str, ...], made: str, shape: tuple[int, ...], *, perm: tuple[int, ...] | None
    ) -> None:
        """Add what puts the directions beside each other, as (batch, *shape), and its axes in the order of `perm`."""
        rows, (*lead, turns, depth) = parts[0], shape
        if turns > 1:
            rows = f"{made}:both"
            self._made.append(Concat(f"{self._scope}.concat", parts, rows))
        self._web.types[rows] = TensorType(FLOAT, (BATCH, *(lead or [1]), turns * depth))
        whole = made if perm is None else f"{made}:whole"
        sizes = self._web.constant(f"{made}:sizes", np.asarray([-1, *shape], np.int64))
        self._raw(helper.make_node("Reshape", [rows, sizes], [whole], name=whole), rows, whole, shape)
        if perm is not None:
            self._moved(whole, made, shape, perm=perm)

    def _moved(self, tensor: str, made: str, shape: tuple[int, ...], *, perm: tuple[int, ...]) -> str:
        proto = helper.make_node("Transpose", [tensor], [made], name=made, perm=perm)
        return self._raw(proto, tensor, made, shape)

    def _raw(self, proto: NodeProto, source: str, made: str, shape: tuple[int, ...]) -> str:
        """Add a node of the file's kind that writes (batch, *shape), or what the file itself knows of the tensor."""
        reason = f"tensor '{made}': the axes of a recurrence are seen in another order"
        self._made.append(Raw("", (proto,), (source,), (source,), (made,), reason))
        self._web.types.setdefault(made, TensorType(FLOAT, (BATCH, *shape)))
        return made


def _check_form(cell: Cell, reader: NodeReader, tokens: int, turns: int) -> None:
    """Raise UntypedError where the operator computes something else than a `Recurrent`."""
    if reader.has(SEQUENCE_LENGTHS):
        lengths = reader.array(SEQUENCE_LENGTHS, "sequence_lens")
        if np.any(lengths != tokens):
            raise UntypedError(f"its sequences have lengths of their own, {lengths.tolist()[:3]} of {tokens} tokens")
    if reader.has(INITIAL_STATES + STATES[cell]):
        raise UntypedError("it has peepholes, input 7")
    if cell == "GRU" and not reader.integer("linear_before_reset", 0):
        raise UntypedError("it resets the hidden state before the product (linear_before_reset is 0)")
    if "clip" in reader.attributes or reader.integer("input_forget", 0):
        raise UntypedError("it clips its gates or couples them (clip, input_forget)")
    entry = reader.attributes.get("activations")
    if entry is not None and entry.type == AttributeProto.STRINGS:
        names = tuple(word.decode("utf-8", "replace").lower() for word in entry.strings)
        if names != _FUNCTIONS[cell] * turns:
            raise UntypedError(f"its functions are {', '.join(names)}")


def _is_zero(web: Web, tensor: str) -> bool:
    """Whether a tensor holds zeros, however many: constants, and what is only copied of them."""
    while True:
        writer = web.writer(tensor)
        if not isinstance(writer, Raw):
            return False
        reader = web.reader(writer)
        op = operator(writer)
        if op == "ConstantOfShape":
            entry = reader.attributes.get("value")
            return entry is None or not np.any(numpy_helper.to_array(entry.t))
        if op not in _PASSED_ON:
            return False
        if reader.is_constant(0):
            return not np.any(reader.array(0, "zeros"))
        tensor = str(reader.proto.input[0])
