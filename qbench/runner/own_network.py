"""One network of the user's and how it is to be quantized: checked whole before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qbench.core.rules import Rule, assign, parse_rules, rules_text
from qbench.core.spec import LayerSpec, parse_spec
from qbench.core.trial import Trial
from qbench.errors import MachineError, ModelError, QBenchError, suggest
from qbench.graph import Network, read_onnx
from qbench.kernels.variants import NAMES
from qbench.methods import METHODS, method_spec
from qbench.peers import PEERS
from qbench.runner.machine.affinity import allowed_cpus
from qbench.runner.workbench import Workbench, layer_kinds, method
from qbench.suite import Planned, Suite
from qbench.suite.schema import Calibration, Sweep, Timing
from qbench.zoo import model_path
from qbench.zoo.own_data import DEFAULT_CALIBRATION, Wanted, load_own

CORRECTIONS = ("none", "bias", "variance", "both")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants of a network.

    Args:
        model: path of an ONNX file, or name of a packaged network.
        spec: token of all layers that no rule names.
        method: how ranges and codes are chosen.
        overrides: rules for single layers, as `qbench.core.rules.parse_rules` reads them.
        correction: `none`, `bias`, `variance` or `both`.
        variant: kernel variant to pin, or `auto`.
        threads: threads to run on.
        data: a known name, an `.npz` file or a folder of images; "" where none is needed.
        calibration: number of calibration images; None for 512, or as many as there are.
        seed: draw of images.
        limit: evaluate at most so many images.
        mean: of a folder's images, a number a channel on a scale of 0 to 1.
        std: of a folder's images.
        batch_sizes: images a timed call.
        references: peers that are timed in turns; those that cannot run here are named in the notes.
    """

    model: str
    spec: str = "w8c-a8t"
    method: str = "mse"
    overrides: str = ""
    correction: str = "none"
    variant: str = "auto"
    threads: int = 2
    data: str = ""
    calibration: int | None = None
    seed: int = 0
    limit: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    batch_sizes: tuple[int, ...] = (1, 32)
    references: tuple[str, ...] = ("onnxruntime-fp32",)

    def __post_init__(self) -> None:
        parse_spec(self.spec)
        _known("method", self.method, [*METHODS])
        _known("correction", self.correction, CORRECTIONS)
        _known("kernel variant", self.variant, ("auto", *NAMES))
        for name in self.references:
            _known("peer", name, [*PEERS])
        cores = len(allowed_cpus())
        if not 1 <= self.threads <= cores:
            raise MachineError(f"threads: expected 1..{cores} on this machine, got {self.threads}")
        if self.calibration is not None and self.calibration < 1:
            raise QBenchError(f"calibration: expected at least 1 image, got {self.calibration}")
        if self.limit is not None and self.limit < 1:
            raise QBenchError(f"limit: expected at least 1 image, got {self.limit}")
        if not self.batch_sizes or min(self.batch_sizes) < 1:
            raise QBenchError(f"batch sizes: expected whole numbers of at least 1, got {list(self.batch_sizes)}")

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules for single layers."""
        return parse_rules(self.overrides)


def _known(what: str, word: str, known: list[str] | tuple[str, ...]) -> None:
    if word not in known:
        raise QBenchError(f"unknown {what} '{word}'{suggest(word, known)}")


def read_network(asked: Asked) -> Network:
    """Return the network; raise ModelError when it cannot be read, has no layer with weights, or free sizes."""
    network = read_onnx(model_path(asked.model))
    if len(network.inputs) != 1 or min(network.input_shape, default=1) < 1:
        shapes = ", ".join(f"'{name}' {network.shapes[name]}" for name in network.inputs)
        raise ModelError(f"{asked.model}: expected one input of sizes that are fixed but for the batch, got {shapes}")
    if not network.layers:
        raise ModelError(f"{asked.model}: expected a network with a convolution or a matrix product, got none")
    return network


def assigned_specs(asked: Asked, network: Network) -> dict[str, LayerSpec]:
    """Return every layer's spec.

    Raises:
        QBenchError: a rule is wrong, or the method cannot do what a layer is to become.
    """
    tokens = assign(layer_kinds(network), asked.spec, asked.rules)
    found = {name: method_spec(method(asked.method), parse_spec(token)) for name, token in tokens.items()}
    for name, spec in found.items():
        reason = method(asked.method).supports(spec)
        if reason is not None:
            raise QBenchError(f"layer '{name}' to {spec.token}: {reason}")
    if all(spec.scope == "none" for spec in found.values()):
        raise QBenchError(f"spec '{asked.spec}': expected at least one layer to be quantized, got fp32 for all")
    return found


def prepare(asked: Asked) -> tuple[Planned, Workbench]:
    """Return the one trial and the bench that it runs on.

    Raises:
        QBenchError: anything about the network, the data, the spec or the rules is wrong.
    """
    network = read_network(asked)
    specs = assigned_specs(asked, network)
    calibrated = _calibrated(specs) or asked.correction in ("bias", "both")
    wanted = Wanted(
        shape=tuple(network.input_shape),
        calibration=asked.calibration if calibrated else 0,
        seed=asked.seed,
        limit=asked.limit,
        mean=asked.mean,
        std=asked.std,
    )
    data = load_own(asked.data, wanted)
    samples = asked.calibration or min(DEFAULT_CALIBRATION, max(1, len(data.calibration)))
    bench = Workbench(_suite(asked, samples), network=network, data=data)
    if calibrated:
        data.calibration_indices(samples, asked.seed)
    return Planned(_trial(asked, samples), ("accuracy", "speed")), bench


def _suite(asked: Asked, samples: int) -> Suite:
    """Return the suite that a bench is made of."""
    return Suite(
        name="quantize",
        model=asked.model,
        data=asked.data,
        calibration=Calibration(samples=samples, seed=asked.seed),
        threads=asked.threads,
        timing=Timing(batch_sizes=asked.batch_sizes, references=asked.references),
        sweeps=(Sweep(name="quantize", spec=(asked.spec,), method=(asked.method,)),),
    )


def _trial(asked: Asked, samples: int) -> Trial:
    return Trial(
        sweep="quantize",
        model=asked.model,
        data=asked.data,
        layers="all",
        spec=method_spec(method(asked.method), parse_spec(asked.spec)).token,
        method=asked.method,
        calibration=samples,
        seed=asked.seed,
        variant=asked.variant,
        batch_sizes=asked.batch_sizes,
        overrides=rules_text(asked.rules),
        correction="" if asked.correction == "none" else asked.correction,
    )


def _calibrated(specs: Mapping[str, LayerSpec]) -> bool:
    return any(not spec.activations.is_float for spec in specs.values())
