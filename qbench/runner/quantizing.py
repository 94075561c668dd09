"""From a trial to numbers: every layer's codes, every activation's parameters, and the biases that go with them."""

from __future__ import annotations

from qbench.core.tensor import QParams
from qbench.core.trial import Trial
from qbench.graph import QuantizedNetwork
from qbench.methods import method_spec
from qbench.runner.correction import corrected
from qbench.runner.timing.phases import Phases
from qbench.runner.workbench import Workbench, activation_specs, layer_specs, method


def quantize_trial(trial: Trial, bench: Workbench, phases: Phases) -> QuantizedNetwork:
    """Return the quantized network of a trial; what it shares with other trials is computed once.

    Raises:
        QBenchError: the method refuses a spec or a tensor, or a rule for single layers is wrong.
    """
    if trial.method == "none":
        return QuantizedNetwork(bench.network)
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
        return QuantizedNetwork(bench.network, weights, activations, specs)
    with phases("calibrate"):
        maps = {} if trial.correction == "variance" else bench.mean_maps(trial.calibration, trial.seed)
    with phases("quantize"):
        network, weights = corrected(bench.network, weights, maps, trial.correction)
    return QuantizedNetwork(network, weights, activations, specs)
