"""Look inside a quantized network: numbers of every layer beside what its codes hold, and which layer costs most.

The network in float32 and the simulated one take the same samples, one by one, and are compared tensor by tensor.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from qbench.core.formats import Uniform
from qbench.core.several import Inputs, arrays_of
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.engine import FloatSession
from qbench.graph import Layer, Network, QuantizedNetwork, depth_weights
from qbench.graph.network import Foreign, Node, inputs_of, outputs_of
from qbench.methods.activation_stats import ActivationObserver, ActivationStats
from qbench.methods.law import fake_quantize
from qbench.metrics.tensor import sqnr_db
from qbench.results.kept import analysis
from qbench.results.kept.analysis import BINS, MOST_LAYERS, MOST_NODES, Analysis, LayerInside, Spread
from qbench.runner.networks.alarms import held_by, outside_share
from qbench.runner.networks.score import answers
from qbench.runner.timing.clock import Clock

SAMPLES = 32
MOST_S = 15.0
"""Seconds that each half may take, the comparison and every layer alone: with fewer samples of a large network."""


def look_inside(made: QuantizedNetwork, network: Network, inputs: Inputs, *, threads: int, clock: Clock) -> Analysis:
    """Return what a quantized network looks like inside.

    Args:
        made: the quantized network.
        network: in float32, as it was before.
        inputs: evaluation samples, of which the first are looked at.
        threads: of the sessions.
        clock: bounds the time.
    """
    base = network if _same_graph(network, made.network) else made.network
    samples = inputs[:SAMPLES]
    seen = _compare(base, made, samples, threads, clock)
    alone_db, alone_samples = _alone(base, made, samples, threads, clock)
    many = len(made.network.layers) > MOST_LAYERS
    layers = []
    for layer in made.network.layers:
        tensor = made.network.unflattened(layer.input)
        weights = weight_spread(layer, made.weights.get(layer.name))
        entering = seen.spread(tensor, made.activations.get(tensor))
        if many:
            weights, entering = replace(weights, counts=()), entering and replace(entering, counts=())
        found = seen.inherited[tensor].sqnr_db if tensor in seen.inherited else None
        layers.append(LayerInside(layer.name, weights, entering, found, alone_db.get(layer.name)))
    nodes = _graph(made.network) if len(made.network.nodes) <= MOST_NODES else ()
    return Analysis(seen.samples, alone_samples, seen.answer.sqnr_db, tuple(layers), nodes)


def weight_spread(layer: Layer, codes: QTensor | None) -> Spread:
    """Return the numbers of a layer's weights, and how many of them lie beyond the outermost codes."""
    weights = depth_weights(layer)
    low, high = float(weights.min()), float(weights.max())
    counts = tuple(int(n) for n in np.histogram(weights, BINS, (low, high if high > low else low + 1.0))[0])
    if codes is None:
        return Spread(low, high, counts)
    restored = codes.dequantize()
    ends, found = (float(restored.min()), float(restored.max())), sqnr_db(weights, restored)
    share = None
    if isinstance(codes.spec.format, Uniform):
        step = expand(codes.params.scale, weights.shape[1], codes.spec.granularity)
        outermost = (codes.codes == codes.codes.max()) | (codes.codes == codes.codes.min())
        share = float(np.mean(outermost & (np.abs(weights - restored) > 0.501 * step)))
    return Spread(low, high, counts, *ends, share, found if math.isfinite(found) else None)


@dataclass(slots=True)
class _Noise:
    signal: float = 0.0
    noise: float = 0.0

    def add(self, right: Floats, found: Floats) -> None:
        """Add the power of some numbers, and of their error."""
        self.signal += float(np.square(right, dtype=np.float64).sum())
        self.noise += float(np.square(right.astype(np.float64) - found).sum())

    @property
    def sqnr_db(self) -> float | None:
        """In dB; None where there is no error, nothing else, or a number that is not finite."""
        known = self.signal > 0.0 and self.noise > 0.0 and math.isfinite(self.signal + self.noise)
        return 10.0 * math.log10(self.signal / self.noise) if known else None


@dataclass(slots=True)
class _Seen:
    """What samples showed: of each tensor the numbers, the error of rounding it alone, and that of all before it."""

    numbers: defaultdict[str, ActivationObserver] = field(default_factory=lambda: defaultdict(ActivationObserver))
    rounding: defaultdict[str, _Noise] = field(default_factory=lambda: defaultdict(_Noise))
    inherited: defaultdict[str, _Noise] = field(default_factory=lambda: defaultdict(_Noise))
    answer: _Noise = field(default_factory=_Noise)
    samples: int = 0

    def look(self, name: str, values: Floats, params: QParams | None) -> None:
        """Add the numbers of a tensor; numbers that are not finite have no range, and are left out."""
        if np.isfinite(values).all():
            self.numbers[name].update(values)
            if params is not None and held_by(params) is not None:
                self.rounding[name].add(values, fake_quantize(values, params))

    def spread(self, tensor: str, params: QParams | None) -> Spread | None:
        """Return the numbers of a tensor beside what its codes hold, None where it was not seen."""
        if tensor not in self.numbers:
            return None
        stats = self.numbers[tensor].finish()
        plain = Spread(stats.minimum, stats.maximum, _binned(stats))
        held = None if params is None else held_by(params)
        if params is None or held is None:
            return plain
        half_step = 0.5 * float(params.scale)
        beyond = outside_share(stats, held[0] - half_step, held[1] + half_step)
        return replace(plain, low=held[0], high=held[1], saturated=beyond, sqnr_db=self.rounding[tensor].sqnr_db)


def _compare(base: Network, made: QuantizedNetwork, samples: Inputs, threads: int, clock: Clock) -> _Seen:
    """Run both networks on the same samples, one at a time, so that few tensors are kept."""
    seen, start_s = _Seen(), clock.now_s()
    with (
        FloatSession(base, threads=threads) as plain,
        FloatSession(made.dequantized(), threads=threads, activations=made.activations) as rounded,
    ):
        for place in range(len(samples)):
            one, kept = arrays_of(samples[place : place + 1]), dict[str, Floats]()
            right = plain.run(*one, tap=_keeping(kept))
            for name, values in kept.items():
                seen.look(name, values, made.activations.get(name))
            seen.answer.add(right, rounded.run(*one, tap=_comparing(kept, seen.inherited)))
            seen.samples += 1
            if clock.now_s() - start_s > MOST_S:
                break
    return seen


def _keeping(kept: dict[str, Floats]) -> Callable[[str, Floats], None]:
    def tap(name: str, values: Floats) -> None:
        kept[name] = values.copy()

    return tap


def _comparing(right: Mapping[str, Floats], noise: defaultdict[str, _Noise]) -> Callable[[str, Floats], None]:
    def tap(name: str, values: Floats) -> None:
        if name in right and right[name].shape == values.shape:
            noise[name].add(right[name], values)

    return tap


def _alone(
    base: Network, made: QuantizedNetwork, samples: Inputs, threads: int, clock: Clock
) -> tuple[dict[str, float], int]:
    """Return the SQNR of the answers with one layer quantized at a time, and on how many samples that is."""
    layers = [layer for layer in made.network.layers if layer.name in made.weights]
    found: dict[str, float] = {}
    if not layers:
        return found, 0
    start_s = clock.now_s()
    with FloatSession(base, threads=threads) as session:
        right = answers(session, samples)
    count = max(1, min(len(samples), int(len(samples) * MOST_S / (len(layers) * max(clock.now_s() - start_s, 1e-9)))))
    for layer in layers:
        if clock.now_s() - start_s > 2 * MOST_S:
            break
        one, params = _only(base, made, layer)
        with FloatSession(one, threads=threads, activations=params) as session:
            value = sqnr_db(right[:count], answers(session, samples[:count]))
        if math.isfinite(value):
            found[layer.name] = value
    return found, count


def _only(base: Network, made: QuantizedNetwork, layer: Layer) -> tuple[Network, dict[str, QParams]]:
    """Return the float network with one layer's restored weights and bias, and the parameters of what enters it."""
    alone = QuantizedNetwork(made.network, {layer.name: made.weights[layer.name]}).dequantized().node(layer.name)
    nodes = tuple(alone if node.name == layer.name else node for node in base.nodes)
    tensor = made.network.unflattened(layer.input)
    params = {tensor: made.activations[tensor]} if tensor in made.activations else {}
    return replace(base, nodes=nodes), params


def _same_graph(before: Network, after: Network) -> bool:
    """Whether two networks have the same nodes with the same weights: no stage moved numbers between them."""
    if [node.name for node in before.nodes] != [node.name for node in after.nodes]:
        return False
    pairs = zip(before.layers, after.layers, strict=True)
    return all(one.weight is two.weight or np.array_equal(one.weight, two.weight) for one, two in pairs)


def _graph(network: Network) -> tuple[analysis.Node, ...]:
    writers = {tensor: node.name for node in network.nodes for tensor in outputs_of(node)}
    reads = {node.name: tuple(writers.get(tensor, tensor) for tensor in inputs_of(node)) for node in network.nodes}
    return tuple(analysis.Node(node.name, _kind(node), reads[node.name]) for node in network.nodes)


def _kind(node: Node) -> str:
    return "+".join(node.operators) if isinstance(node, Foreign) else type(node).__name__


def _binned(stats: ActivationStats) -> tuple[int, ...]:
    """Return a histogram between the extremes, the numbers of a fine bin where its middle lies."""
    low, high = stats.minimum, stats.maximum
    ends = (low, high if high > low else low + 1.0)
    inside = np.clip(stats.centers, *ends)
    return tuple(int(n) for n in np.histogram(inside, BINS, ends, weights=stats.counts)[0])
