"""Layer after layer through the calibration samples: what enters each, of the float network and of the quantized one.

The network is cut into segments; the tensors that later segments read are kept for some samples, so no layer runs twice
and none reruns what lies before it. The quantized side runs the session that will be timed: integers wherever there are
codes, so a stage sees what the integer network gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import Dynamic
from qbench.core.several import arrays_of
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.errors import QBenchError
from qbench.graph import Conv, Layer, Network, QuantizedNetwork, depth_weights
from qbench.graph.network import Node, inputs_of, outputs_of
from qbench.methods import fake_quantize
from qbench.methods.fitting.slices import Doubles
from qbench.methods.law import fake_dynamic
from qbench.quantization.observations import Observations
from qbench.quantization.windows import rows_of

KEPT_BYTES = 192 << 20
"""Room for the tensors that one side keeps between two segments: it bounds how many samples are looked at."""
MOST_ROWS = 1 << 16
"""Windows of a layer that enter its moments; of more, every n-th of each sample's is taken."""
_CHUNK = 32
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Segment:
    """Nodes in order, the tensors that they read of those before, and the tensors that those behind read of them."""

    nodes: tuple[Node, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The nodes that have weights."""
        return tuple(node for node in self.nodes if isinstance(node, Layer))


def segments(network: Network, starts: Iterable[str]) -> list[Segment]:
    """Return the network in pieces, each of which begins at a node of `starts`, or at the first node.

    A piece is joined to the one before it where a tensor without a batch would lie between them.
    """
    wanted, pieces = set(starts), list[list[Node]]()
    for place, node in enumerate(network.nodes):
        if not pieces or (node.name in wanted and not _crossing(network, place) & network.unbatched):
            pieces.append([])
        pieces[-1].append(node)
    found, place = [], 0
    for piece in pieces:
        made = {tensor for node in piece for tensor in outputs_of(node)}
        reads = dict.fromkeys(tensor for node in piece for tensor in inputs_of(node) if tensor not in made)
        later = network.nodes[place + len(piece) :]
        wanted_later = {tensor for node in later for tensor in inputs_of(node)} | {*network.outputs}
        writes = tuple(tensor for node in piece for tensor in outputs_of(node) if tensor in wanted_later)
        found.append(Segment(tuple(piece), tuple(reads), writes))
        place += len(piece)
    return found


def layer_starts(network: Network) -> list[str]:
    """Return the names of the layers: where each begins a segment, none runs twice."""
    return [layer.name for layer in network.layers]


class Side:
    """One network on its way through the samples.

    Args:
        quantized: the network, with parameters of activations where those are quantized; float where it has none.
        seen: holds the samples.
        samples: how many are looked at; fewer where their tensors would not fit in `KEPT_BYTES`.
    """

    def __init__(self, quantized: QuantizedNetwork, seen: Observations, *, samples: int) -> None:
        network = self.network = quantized.network
        self.activations, self._threads, self._seen = quantized.activations, seen.threads, seen
        self.weights: dict[str, QTensor] = {}
        count = min(samples, KEPT_BYTES // (4 * _most_kept(network)) or 1)
        arrays = arrays_of(seen.samples()[:count])
        self.tensors: Arrays = dict(zip(network.inputs, arrays, strict=True))

    def params(self, tensor: str) -> QParams | None:
        """Return a tensor's parameters, None where it stays float."""
        return self.activations.get(self.network.unflattened(tensor))

    def advance(self, segment: Segment, *, left: Iterable[Segment]) -> None:
        """Run a segment, and forget what none of those `left` reads."""
        self.tensors |= self.run(segment.nodes, segment.reads, segment.writes)
        wanted = {tensor for one in left for tensor in one.reads}
        self.tensors = {name: array for name, array in self.tensors.items() if name in wanted}

    def tensor(self, segment: Segment, name: str) -> npt.NDArray[Any]:
        """Return a tensor on the way through the next segment, as a layer reads it but for its own rounding."""
        if name in self.tensors:
            return self.tensors[name]
        needed, nodes = {name}, list[Node]()
        for node in reversed(segment.nodes):
            if needed & {*outputs_of(node)}:
                nodes.insert(0, node)
                needed |= {*inputs_of(node)}
        reads = tuple(tensor for tensor in segment.reads if tensor in needed)
        return self.run(tuple(nodes), reads, (name,))[name]

    def run(self, nodes: tuple[Node, ...], reads: tuple[str, ...], writes: tuple[str, ...]) -> Arrays:
        """Return what some nodes write, of the samples."""
        from qbench.engine import build_session  # with Numba, which recipes are read and checked without

        if not writes:
            return {}
        network = replace(
            self.network, nodes=nodes, inputs=reads, input=reads[0] if reads else "", outputs=writes, output=writes[0],
            input_shape=self.network.shapes[reads[0]] if reads else (),
        )  # fmt: skip
        tensors = {*reads, *(tensor for node in nodes for tensor in outputs_of(node))}
        known = {tensor: params for tensor in tensors if (params := self.params(tensor))}
        names = {node.name for node in nodes}
        weights = {name: codes for name, codes in self.weights.items() if name in names}
        piece = QuantizedNetwork(network, weights, known)
        with self._seen.timed("calibrate"), build_session(piece, threads=self._threads) as session:
            return dict(zip(writes, session.run_all(*(self.tensors[name] for name in reads)), strict=True))


def rows_entering(layer: Layer, array: npt.NDArray[Any], params: QParams | None, *, most: int) -> Floats:
    """Return what a layer multiplies its weights by, float32 (groups, rows, depth); `most` rows per sample."""
    images = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array.reshape(len(array), 1, -1, array.shape[-1])
    if params is not None and isinstance(params.spec.granularity, Dynamic):
        return rows_of(layer, fake_dynamic(images, params), most)
    rows = rows_of(layer, images, most)
    return rows if params is None else fake_quantize(rows, params)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What is to be known of a layer's inputs to judge any weights W of it.

    The mean squared error of its output is

        tr(W gram W^T) - 2 tr(W target^T) + power,  with gram = E x x^T, target = W_f E x_f x^T, power = E |W_f x_f|^2

    where x enters the layer in the quantized network, x_f in the float one, and W_f are its float weights.

    Args:
        gram: float64 (groups, depth, depth): channels share the groups in order.
        target: float64 (channels, depth).
        power: float64 (channels,).
    """

    gram: Doubles
    target: Doubles
    power: Doubles

    def errors(self, weights: npt.NDArray[Any]) -> Doubles:
        """Return the mean squared error of every output channel, float64 (channels,), of weights (channels, depth)."""
        each = np.split(weights.astype(np.float64), len(self.gram))
        made = np.concatenate([part @ gram for part, gram in zip(each, self.gram, strict=True)])
        return np.asarray(((made - 2 * self.target) * weights).sum(axis=1) + self.power)


class Quadratic:
    """The gradient of that error with respect to the weights, in float32."""

    def __init__(self, moments: Moments) -> None:
        self._gram, self._target = moments.gram.astype(np.float32), moments.target.astype(np.float32)

    def gradient(self, weights: Floats) -> Floats:
        """Return dL/dW, float32 (channels, depth), summed over the outputs."""
        each = weights.reshape(len(self._gram), -1, weights.shape[1])
        return np.asarray(2 * ((each @ self._gram).reshape(weights.shape) - self._target), np.float32)


class Walk:
    """The quantized network, and where it is wanted the float one beside it, over the samples, segment by segment.

    Args:
        quantized: what the stages so far made; a layer counts as quantized once `settle` said so.
        seen: holds the samples.
        samples: how many are looked at, at most.
        starts: names of the nodes that begin a segment.
        beside: whether the float network goes along.
    """

    def __init__(
        self, quantized: QuantizedNetwork, seen: Observations, *, samples: int, starts: Iterable[str], beside: bool
    ) -> None:  # fmt: skip
        self.segments = segments(quantized.network, starts)
        self.side = Side(quantized, seen, samples=samples)
        self.beside = Side(QuantizedNetwork(quantized.network), seen, samples=samples) if beside else None

    def __iter__(self) -> Iterator[Segment]:
        """Yield each segment, with both sides in front of it, and advance them when the next is asked for."""
        for place, segment in enumerate(self.segments):
            yield segment
            for side in filter(None, (self.side, self.beside)):
                side.advance(segment, left=self.segments[place + 1 :])

    def settle(self, weights: Mapping[str, QTensor], activations: Mapping[str, QParams] | None = None) -> None:
        """Let layers have these codes from here on, and tensors these parameters."""
        self.side.weights |= weights
        self.side.activations = self.side.activations if activations is None else activations

    def moments(self, segment: Segment, layer: Layer, rows: Floats) -> Moments:
        """Return the moments of a layer of the segment; `rows` are its float weights (channels, depth).

        Without a float network beside, the float inputs are taken to be the quantized ones.
        """
        array = self.side.tensor(segment, layer.input)
        other = self.beside.tensor(segment, layer.input) if self.beside else None
        params, most = self.side.params(layer.input), max(1, MOST_ROWS // len(array))
        groups = layer.groups if isinstance(layer, Conv) else 1
        weights, total, seen = np.stack(np.split(rows, groups)), _Sums(), 0
        for start in range(0, len(array), _CHUNK):
            part = slice(start, start + _CHUNK)
            x = rows_entering(layer, array[part], params, most=most)
            total.add("gram", np.stack([one.T @ one for one in x]))
            if other is not None:
                y = rows_entering(layer, other[part], None, most=most) @ weights.transpose(0, 2, 1)
                total.add("target", y.transpose(0, 2, 1) @ x)
                total.add("power", np.square(y).sum(axis=1))
            seen += x.shape[1]
        gram = total["gram"] / seen
        target = total["target"] / seen if self.beside else weights @ gram
        power = total["power"] / seen if self.beside else (target * weights).sum(axis=2)
        return Moments(gram, target.reshape(rows.shape), power.reshape(-1))


class _Sums(dict[str, Doubles]):
    """Sums under names, in float64."""

    def add(self, name: str, values: npt.NDArray[np.floating]) -> None:
        self[name] = self[name] + values if name in self else values.astype(np.float64)


def _crossing(network: Network, place: int) -> set[str]:
    """Return the tensors that are made before a place among the nodes and read behind it."""
    made = {tensor for node in network.nodes[:place] for tensor in outputs_of(node)}
    return made & {tensor for node in network.nodes[place:] for tensor in inputs_of(node)}


def _most_kept(network: Network) -> int:
    """Return the most numbers of a sample that lie between two nodes at once."""
    sizes = {tensor: int(np.prod(np.abs(shape))) for tensor, shape in network.shapes.items()}
    most = sum(sizes[tensor] for tensor in network.inputs)
    for place in range(1, len(network.nodes)):
        most = max(most, sum(sizes[tensor] for tensor in _crossing(network, place)))
    return max(1, most)


Make = Callable[[Floats, QTensor, Moments], QTensor]
SAMPLES = 1024
"""Calibration samples that are looked at, at most."""


def layer_by_layer(
    quantized: QuantizedNetwork, seen: Observations, *, name: str, make: Make, beside: bool = True
) -> QuantizedNetwork:
    """Return the network with what `make` gives of each layer, in order: each sees the layers before it quantized.

    Args:
        quantized: what the stages so far made.
        seen: holds the samples.
        name: of the stage, for errors.
        make: takes float weights (channels, depth), their codes so far and the moments of the layer's inputs.
        beside: whether the moments hold what the float network gives.

    Raises:
        QBenchError: what enters a layer is not finite.
    """
    walk = Walk(quantized, seen, samples=SAMPLES, starts=layer_starts(quantized.network), beside=beside)
    done: dict[str, QTensor] = {}
    for segment in walk:
        for layer in segment.layers:
            if layer.name in quantized.weights:
                rows = depth_weights(layer)
                if not np.isfinite(walk.side.tensor(segment, layer.input)).all():
                    raise QBenchError(f"{name}: layer '{layer.name}': expected finite inputs in calibration")
                moments = walk.moments(segment, layer, rows)
                done[layer.name] = make(rows, quantized.weights[layer.name], moments)
                walk.settle(done)
    return replace(quantized, weights={**quantized.weights, **done})
