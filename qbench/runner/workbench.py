"""Everything that trials of one suite share: network, images, fp32 answers, calibrations, quantized tensors, peers.

Each is made once, when the first trial asks for it. Trials differ in what they pick from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from qbench.core.spec import LayerSpec, QuantSpec, parse_spec
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import FloatSession
from qbench.errors import DataError, MachineError
from qbench.graph import Network, read_onnx, to_onnx_bytes
from qbench.methods import METHODS, method_spec
from qbench.methods.activation_stats import ActivationStats
from qbench.peers import PEERS, Peer, Prepared
from qbench.runner.calibration import calibrate
from qbench.runner.score import Answers, all_logits, flat_weights
from qbench.suite import Suite
from qbench.zoo import Dataset, load_data, model_path

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

    Raises:
        DataError: the network cannot take these images, or cannot name all their classes.
    """

    def __init__(self, suite: Suite, *, data_folder: Path | None = None) -> None:
        self.suite = suite
        self.threads = suite.threads
        self.network: Network = read_onnx(model_path(suite.model_source()))
        self.data: Dataset = load_data(suite.data_source(), folder=data_folder)
        _check_fit(self.network, self.data)
        self._calibrations: dict[tuple[int, int], dict[str, ActivationStats]] = {}
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
        return len(self.inputs) == len(self.data.labels)

    @cached_property
    def answers(self) -> Answers:
        """What the independent runtime answers in fp32, and the labels."""
        prepared = self.prepared(INDEPENDENT, "float", model=lambda: to_onnx_bytes(self.network))
        return Answers(all_logits(prepared, self.inputs), self.data.labels[: len(self.inputs)])

    @cached_property
    def own_logits(self) -> Floats:
        """What qbench's own graph answers in fp32."""
        return all_logits(FloatSession(self.network, threads=self.threads), self.inputs)

    def stats(self, samples: int, seed: int) -> Mapping[str, ActivationStats]:
        """Return the statistics of all activations on a draw of calibration images."""
        key = (samples, seed)
        if key not in self._calibrations:
            drawn = self.data.calibration_inputs(samples, seed)
            self._calibrations[key] = calibrate(self.network, drawn, threads=self.threads)
        return self._calibrations[key]

    def weights(self, specs: Mapping[str, LayerSpec], name: str, *, seed: int) -> dict[str, QTensor]:
        """Return the codes of every layer whose spec quantizes its weights, by method `name`."""
        found = {}
        for layer in self.network.layers:
            spec = specs[layer.name].weights if layer.name in specs else None
            if spec is None or spec.is_float:
                continue
            key = (layer.name, name, spec, seed)
            if key not in self._weights:
                self._weights[key] = method(name).quantize_weights(flat_weights(layer), spec, seed=seed)
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

    def prepared(self, name: str, kind: str, *, model: Callable[[], bytes]) -> Prepared:
        """Return a peer holding `model()`, prepared once for each peer and kind of model.

        Raises:
            MachineError: the peer cannot run here.
            ModelError: it refuses the model.
        """
        key = (name, kind)
        if key not in self._prepared:
            reason = peer(name).supports()
            if reason is not None:
                raise MachineError(f"{name}: {reason}")
            self._prepared[key] = peer(name).prepare(model(), threads=self.threads)
        return self._prepared[key]


def _check_fit(network: Network, data: Dataset) -> None:
    height, width, channels = data.images.shape[1:]
    if (channels, height, width) != network.input_shape:
        expected = " x ".join(map(str, network.input_shape))
        raise DataError(
            f"data '{data.name}': network '{network.name}' expects images of {expected} (channels, height, width), "
            f"got {channels} x {height} x {width}"
        )
    outputs = math.prod(network.shapes[network.output])
    if len(data.classes) > outputs:
        raise DataError(
            f"data '{data.name}': network '{network.name}' tells {outputs} classes apart, got {len(data.classes)}"
        )


def layer_specs(network: Network, layers: str, *, spec: str, edges: str, name: str) -> dict[str, LayerSpec]:
    """Return the spec of each quantized layer of a trial.

    Args:
        network: whose layers they are.
        layers: `all`, or the name of the one layer.
        spec: token of the layers' spec.
        edges: token of the first and last layer's spec, "" for no exception.
        name: the method, which says what a width means to it.
    """
    names = [layer.name for layer in network.layers]
    chosen = dict.fromkeys(names if layers == "all" else [layers], parse_spec(spec))
    if edges and layers == "all":
        chosen |= {names[0]: parse_spec(edges), names[-1]: parse_spec(edges)}
    return {layer: method_spec(method(name), asked) for layer, asked in chosen.items()}


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
        entered = [layer.name for layer in network.layers if layer.input == tensor]
        asked = [specs[name].activations for name in entered if name in specs] or ([default] if whole else [])
        asked = [spec for spec in asked if not spec.is_float]
        if asked:
            found[tensor] = max(asked, key=lambda spec: spec.format.bits)
    return found
