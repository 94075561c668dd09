"""From a trial to numbers: every layer's codes, every activation's parameters, and the biases that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbench.core.spec import LayerSpec
from qbench.core.tensor import QParams, QTensor
from qbench.core.trial import Trial
from qbench.graph import Network
from qbench.methods import method_spec
from qbench.runner.correction import corrected
from qbench.runner.tensors import unflattened
from qbench.runner.timing.phases import Phases
from qbench.runner.workbench import Workbench, activation_specs, layer_specs, method


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A quantized network.

    Args:
        network: the fp32 network; its biases are corrected where the trial wants that.
        weights: layer -> codes; layers that are not named keep float32 weights.
        activations: tensor -> parameters; tensors that are not named stay float32.
        specs: what each quantized layer was assigned.
    """

    network: Network
    weights: Mapping[str, QTensor]
    activations: Mapping[str, QParams]
    specs: Mapping[str, LayerSpec]

    def input_token(self, layer: str) -> str:
        """Return what enters a layer, without the leading a: `8t`, or `32` where it stays float32."""
        tensor = next(node.input for node in self.network.layers if node.name == layer)
        found = self.activations.get(unflattened(self.network, tensor))
        return "32" if found is None else found.spec.token


def quantize_trial(trial: Trial, bench: Workbench, phases: Phases) -> Quantized:
    """Return the quantized network of a trial; what it shares with other trials is computed once.

    Raises:
        QBenchError: the method refuses a spec or a tensor, or a rule for single layers is wrong.
    """
    if trial.method == "none":
        return Quantized(bench.network, {}, {}, {})
    specs = layer_specs(
        bench.network, trial.layers,
        spec=trial.spec, edges=trial.edges, name=trial.method, overrides=trial.overrides,
    )  # fmt: skip
    activations: dict[str, QParams] = {}
    if any(not spec.activations.is_float for spec in specs.values()):
        with phases("calibrate"):
            stats = bench.stats(trial.calibration, trial.seed)
        default = method_spec(method(trial.method), trial.layer_spec).activations
        tensors = activation_specs(bench.network, specs, stats, default=default)
        with phases("quantize"):
            activations = bench.activations(tensors, trial.method, samples=trial.calibration, seed=trial.seed)
    with phases("quantize"):
        weights = bench.weights(specs, trial.method, seed=trial.seed)
    if not trial.correction or not weights:
        return Quantized(bench.network, weights, activations, specs)
    with phases("calibrate"):
        maps = {} if trial.correction == "variance" else bench.mean_maps(trial.calibration, trial.seed)
    with phases("quantize"):
        network, weights = corrected(bench.network, weights, maps, trial.correction)
    return Quantized(network, weights, activations, specs)
