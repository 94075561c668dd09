"""Everything that trials of one suite share: network, images, fp32 answers, calibrations, quantized tensors, peers.

Each is made once, when the first trial asks for it. Trials differ in what they pick from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from qbench.core.rules import Kind, assign, edge_rules, parse_rules
from qbench.core.spec import LayerSpec, QuantSpec, parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import FloatSession
from qbench.errors import DataError, MachineError
from qbench.graph import Conv, Layer, Network, QuantizedNetwork, depth_weights, is_depthwise, read_onnx
from qbench.methods import METHODS, method_spec
from qbench.methods.activation_stats import ActivationStats
from qbench.methods.slices import Doubles
from qbench.metrics import Answers, Task, task_of
from qbench.peers import PEERS, Peer, Prepared
from qbench.runner.calibration import calibrate
from qbench.runner.correction import mean_maps
from qbench.runner.score import all_logits
from qbench.suite import Suite
from qbench.zoo import Samples, load_data, model_path

INDEPENDENT = "onnxruntime-fp32"
"""The runtime whose fp32 answers every row is compared with."""

QDQ_SPEC, QDQ_METHOD = "w8c-a8t", "mse"
"""What int8 peers are given: the very scales of qbench's own row of this spec and method."""


@cache
def method(name: str) -> Any:
    """Return the quantization method `name`, ready to use."""
    part = METHODS.load(name)
    return part() if isinstance(part, type) else part


@cache
def peer(name: str) -> Peer:
    """Return the peer `name`."""
    found: Peer = PEERS.load(name)()
    return found


class Workbench:
    """The network and the images of a suite, and what was computed from them so far.

    Args:
        suite: names model, data, threads and calibration.
        data_folder: folder that holds the data, None for the packaged or cached one.
        network: the suite's network where it was read already.
        data: the suite's data where it was loaded already.

    Raises:
        DataError: the network cannot take these images, or cannot name all their classes.
    """

    def __init__(
        self,
        suite: Suite,
        *,
        data_folder: Path | None = None,
        network: Network | None = None,
        data: Samples | None = None,
    ) -> None:
        self.suite = suite
        self.threads = suite.threads
        self.network: Network = network or read_onnx(model_path(suite.model_source()))
        self.data: Samples = data or load_data(suite.data_source(), folder=data_folder)
        self.task = task_of(suite.task_name, labelled=self.labelled)
        _check_fit(self.network, self.data)
        _check_task(self.task, self.network, self.data, labelled=self.labelled)
        self._calibrations: dict[tuple[int, int], dict[str, ActivationStats]] = {}
        self._mean_maps: dict[tuple[int, int], dict[str, Doubles]] = {}
        self._weights: dict[tuple[str, str, QuantSpec, int], QTensor] = {}
        self._activations: dict[tuple[str, str, QuantSpec, int, int], QParams] = {}
        self._prepared: dict[tuple[str, str], Prepared] = {}

    @cached_property
    def inputs(self) -> Floats:
        """The evaluation images as float32 NCHW."""
        return self.data.inputs(0, self.suite.data_limit)

    @property
    def uses_all_images(self) -> bool:
        """Whether no limit leaves evaluation images out."""
        return len(self.inputs) == len(self.data)

    @property
    def seeded(self) -> bool:
        """Whether the weights were drawn and never trained: there is speed and agreement in such a row, no accuracy."""
        return self.network.metadata.get("weights") == "seeded"

    @property
    def labelled(self) -> bool:
        """Whether a right answer is known, of a network that was trained to give it."""
        return self.data.labelled and not self.seeded

    @cached_property
    def answers(self) -> Answers:
        """What the independent runtime answers in fp32, and the labels."""
        prepared = self.prepared(INDEPENDENT, "float", network=lambda: QuantizedNetwork(self.network))
        labels = self.data.labels[: len(self.inputs) if self.labelled else 0]
        return Answers(all_logits(prepared, self.inputs), labels, self.task)

    @cached_property
    def own_logits(self) -> Floats:
        """What qbench's own graph answers in fp32."""
        with FloatSession(self.network, threads=self.threads) as session:
            return all_logits(session, self.inputs)

    def stats(self, samples: int, seed: int) -> Mapping[str, ActivationStats]:
        """Return the statistics of all activations on a draw of calibration images."""
        key = (samples, seed)
        if key not in self._calibrations:
            drawn = self.data.calibration_inputs(samples, seed)
            self._calibrations[key] = calibrate(self.network, drawn, threads=self.threads)
        return self._calibrations[key]

    def mean_maps(self, samples: int, seed: int) -> Mapping[str, Doubles]:
        """Return the mean of every tensor at every place on a draw of calibration images, float64 (h, w, c) each."""
        key = (samples, seed)
        if key not in self._mean_maps:
            drawn = self.data.calibration_inputs(samples, seed)
            self._mean_maps[key] = mean_maps(self.network, drawn, threads=self.threads)
        return self._mean_maps[key]

    def weights(self, specs: Mapping[str, LayerSpec], name: str, *, seed: int) -> dict[str, QTensor]:
        """Return the codes of every layer whose spec quantizes its weights, by method `name`."""
        found = {}
        for layer in self.network.layers:
            spec = specs[layer.name].weights if layer.name in specs else None
            if spec is None or spec.is_float:
                continue
            key = (layer.name, name, spec, seed)
            if key not in self._weights:
                self._weights[key] = method(name).quantize_weights(depth_weights(layer), spec, seed=seed)
            found[layer.name] = self._weights[key]
        return found

    def activations(self, specs: Mapping[str, QuantSpec], name: str, *, samples: int, seed: int) -> dict[str, QParams]:
        """Return the parameters of every tensor that is quantized, by method `name`, from one calibration draw."""
        found = {}
        for tensor, spec in specs.items():
            key = (tensor, name, spec, samples, seed)
            if key not in self._activations:
                self._activations[key] = method(name).activation_params(self.stats(samples, seed)[tensor], spec)
            found[tensor] = self._activations[key]
        return found

    def prepared(self, name: str, kind: str, *, network: Callable[[], QuantizedNetwork]) -> Prepared:
        """Return a peer holding `network()`, prepared once for each peer and kind of network.

        Raises:
            MachineError: the peer cannot run here.
            ModelError: it refuses the model.
        """
        key = (name, kind)
        if key not in self._prepared:
            reason = peer(name).supports()
            if reason is not None:
                raise MachineError(f"{name}: {reason}")
            self._prepared[key] = peer(name).prepare(network(), threads=self.threads)
        return self._prepared[key]


def _check_fit(network: Network, data: Samples) -> None:
    if data.sample_shape != network.input_shape:
        expected, got = (" x ".join(map(str, shape)) for shape in (network.input_shape, data.sample_shape))
        what = "images of {} (channels, height, width)" if len(network.input_shape) == 3 else "samples of {}"
        raise DataError(f"data '{data.name}': network '{network.name}' expects {what.format(expected)}, got {got}")


def _check_task(task: Task, network: Network, data: Samples, *, labelled: bool) -> None:
    outputs = math.prod(network.shapes[network.output])
    if task.outputs == "classes" and len(data.classes) > outputs:
        raise DataError(
            f"data '{data.name}': network '{network.name}' tells {outputs} classes apart, got {len(data.classes)}"
        )
    if task.labelled and not labelled:
        why = "weights that were never trained" if data.labelled else f"data '{data.name}', which has none"
        raise DataError(f"task '{task.name}': expected labels to score by, got {why}")
    if outputs < task.least_outputs:
        raise DataError(
            f"task '{task.name}': expected at least {task.least_outputs} numbers per answer, "
            f"got {outputs} of network '{network.name}'"
        )


def layer_specs(
    network: Network, layers: str, *, spec: str, edges: str, name: str, overrides: str = ""
) -> dict[str, LayerSpec]:
    """Return the spec of each quantized layer of a trial.

    Args:
        network: whose layers they are.
        layers: `all`, or the name of the one layer.
        spec: token of the layers' spec.
        edges: token of the first and last layer's spec, "" for no exception.
        name: the method, which says what a width means to it.
        overrides: rules for single layers, as `qbench.core.rules.rules_text` writes them.

    Raises:
        QBenchError: a rule matches no layer, or two contradict each other.
    """
    chosen = {layers: spec}
    if layers == "all":
        chosen = assign(layer_kinds(network), spec, [*edge_rules(edges), *parse_rules(overrides)])
    return {layer: method_spec(method(name), parse_spec(token)) for layer, token in chosen.items()}


def layer_kinds(network: Network) -> dict[str, Kind]:
    """Return the operator type of every layer, in the network's order."""
    return {layer.name: _kind(layer) for layer in network.layers}


def _kind(layer: Layer) -> Kind:
    if not isinstance(layer, Conv):
        return "linear"
    return "depthwise" if is_depthwise(layer) else "conv"


def activation_specs(
    network: Network, specs: Mapping[str, LayerSpec], tensors: Iterable[str], *, default: QuantSpec
) -> dict[str, QuantSpec]:
    """Return the spec of each quantized tensor: that of the layer it enters, the widest where several read it.

    A tensor that is only added (the output of a projection shortcut) enters no layer: it takes `default`, unless single
    layers are quantized.
    """
    found: dict[str, QuantSpec] = {}
    whole = len(specs) == len(network.layers)
    for tensor in tensors:
        entered = [layer.name for layer in network.layers if network.unflattened(layer.input) == tensor]
        asked = [specs[name].activations for name in entered if name in specs] or ([default] if whole else [])
        asked = [spec for spec in asked if not spec.is_float]
        if asked:
            found[tensor] = max(asked, key=lambda spec: spec.format.bits)
    return found
