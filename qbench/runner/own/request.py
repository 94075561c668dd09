"""One network of the user's and how it is to be quantized: checked whole before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qbench.core.accumulator import parse_accumulators
from qbench.core.calibration import DATA, parse_source
from qbench.core.recipe import KEEP, NONE, RecipeParts
from qbench.core.rules import Rule, parse_rules
from qbench.core.spec import parse_spec
from qbench.errors import MachineError, ModelError, QBenchError, suggest
from qbench.graph import Network, QuantizedNetwork, read_codes
from qbench.graph import read_network as read_file
from qbench.graph.nodes import Given
from qbench.graph.readers import UNREAD
from qbench.kernels.variants import NAMES
from qbench.peers import PEERS
from qbench.quantization import assigned, parse_recipe
from qbench.runner.machine.affinity import allowed_cpus
from qbench.runner.networks.bench import NOT_QUANTIZED, Bench
from qbench.runner.networks.kind import bench_of
from qbench.suite import Suite
from qbench.suite.schema import Calibration, Sweep
from qbench.suite.timing import Timing
from qbench.zoo import known_shapes, model_path
from qbench.zoo.own_data import DEFAULT_CALIBRATION, Wanted, inputs_of, load_own
from qbench.zoo.preprocessing import Preprocessing

SUITE_NAME = "quantize"
"""Name of the suite of one trial that a wish becomes, by which its folder is known."""
SWEEP = "quantize"
"""Name of the sweep of the trial whose network is kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants of a network.

    Args:
        model: path of a file of a known format (`qbench.graph.readers`), or name of a packaged network.
        spec: token of all layers that no rule names.
        recipe: the stages that make it, e.g. `mse`, `cle/mse+gptq/bias`.
        overrides: rules for single layers, as `qbench.core.rules.parse_rules` reads them.
        variant: kernel variant to pin, or `auto`.
        threads: threads to run on.
        data: a known name, an `.npz` file, a folder of images or of arrays; "" where none is needed.
        calibration: number of calibration images; None for 512, or as many as there are.
        source: where calibration samples come from (`qbench.core.calibration`).
        seed: draw of images.
        limit: evaluate on at most this many images.
        mean: per channel, on a scale of 0 to 1, of the user's own images; None for 0.
        std: per channel; None for 1.
        resize: pixels of the shorter side, or height and width, that images are scaled to before they are cut.
        crop: side, or height and width, of the middle that is cut out.
        batch_sizes: images per timed call.
        references: peers that are timed in turns; those that cannot run here are named in the notes.
        shapes: input -> sizes without the batch, where the file leaves them free, or the one number that it always is.
        accumulator: `16`, `16-wrap` or `16-saturate`: sums of so many bits are scored too; "" for none.
    """

    model: str
    spec: str = "w8c-a8t"
    recipe: str = "mse"
    overrides: str = ""
    variant: str = "auto"
    threads: int = 2
    data: str = ""
    calibration: int | None = None
    source: str = DATA
    seed: int = 0
    limit: int | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    resize: int | tuple[int, ...] | None = None
    crop: int | tuple[int, ...] | None = None
    batch_sizes: tuple[int, ...] = (1, 32)
    references: tuple[str, ...] = ("onnxruntime-fp32",)
    shapes: Mapping[str, Given] = field(default_factory=dict)
    accumulator: str = ""

    def __post_init__(self) -> None:
        parse_spec(self.spec)
        parse_source(self.source)
        if self.accumulator:
            parse_accumulators(self.accumulator)
        if self.keeps and self.overrides:
            raise QBenchError("recipe 'keep': it takes a file as it is, without rules for layers")
        if self.parts.method == NONE:
            raise QBenchError("recipe 'none': expected a method, got none: the network would stay in float32")
        _known("kernel variant", self.variant, ("auto", *NAMES))
        for name in self.references:
            _known("peer", name, [*PEERS])
        checked = self.how
        assert checked is not None
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
    def how(self) -> Preprocessing:
        """What is done to the pixels of the user's own images; raise DataError for what cannot be."""
        return Preprocessing.of(self.mean, self.std, self.resize, self.crop)

    @property
    def parts(self) -> RecipeParts:
        """The words of the recipe."""
        return parse_recipe(self.recipe).parts

    @property
    def keeps(self) -> bool:
        """Whether what a quantized file says is run as it is."""
        return self.parts.method == KEEP

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules for single layers."""
        return parse_rules(self.overrides)


def _known(what: str, word: str, known: list[str] | tuple[str, ...]) -> None:
    if word not in known:
        raise QBenchError(f"unknown {what} '{word}'{suggest(word, known)}")


def read_network(asked: Asked) -> Network:
    """Return the network; raise ModelError when it cannot be read, has no layer with weights, or free sizes."""
    network = read_file(model_path(asked.model), shapes=known_shapes(asked.model) | dict(asked.shapes))
    if asked.keeps and UNREAD in network.metadata:
        raise ModelError(network.metadata[UNREAD])
    if not network.inputs or any(min(network.shapes[name], default=1) < 1 for name in network.inputs):
        shapes = ", ".join(f"'{name}' {_sizes(network, name)}" for name in network.inputs)
        why = f"expected inputs of sizes that are fixed but for the batch (by --shape, say), got {shapes}"
        raise ModelError(f"{asked.model}: {why}")
    if not network.layers:
        held = next((reason for node in network.foreign for reason in node.reasons if "branch" in reason), "")
        why = "expected a network with a convolution or a matrix product, got none" + (f": {held}" if held else "")
        raise ModelError(f"{asked.model}: {why}")
    return network


def _sizes(network: Network, tensor: str) -> str:
    """Return the sizes of an input in words, "?" where one is free."""
    sizes = ["?" if size < 0 else str(size) for size in network.shapes[tensor]]
    return "of one number (by --bind, say)" if not sizes else f"({', '.join(sizes)})"


def assigned_network(asked: Asked, network: Network) -> QuantizedNetwork:
    """Return the network in float32 with every layer's spec.

    Raises:
        QBenchError: a rule is wrong, or a stage cannot do what a layer is to become.
    """
    recipe = parse_recipe(asked.recipe)
    found = assigned(network, asked.spec, method=recipe.parts.method, rules=asked.rules)
    for name, spec in found.specs.items():
        reason = recipe.supports(spec)
        if reason is not None:
            raise QBenchError(f"layer '{name}' to {spec.token}: {reason}")
    if all(spec.scope == "none" for spec in found.specs.values()):
        raise QBenchError(f"spec '{asked.spec}': expected at least one layer to be quantized, got fp32 for all")
    return found


def prepare(asked: Asked, *, timed: bool) -> tuple[Suite, Bench]:
    """Return the suite of one trial, and the bench that it runs on.

    Args:
        asked: checked wishes.
        timed: whether times are taken.

    Raises:
        QBenchError: anything about the network, the data, the spec or the rules is wrong.
    """
    network = read_network(asked)
    calibrated = not asked.keeps and _calibrated(asked, network)
    wanted = Wanted(
        inputs=inputs_of(network),
        calibration=asked.calibration if calibrated and asked.source == DATA else 0,
        seed=asked.seed,
        limit=asked.limit,
        how=asked.how,
    )
    data = load_own(asked.data, wanted)
    most = max(1, len(data.calibration)) if asked.source == DATA else DEFAULT_CALIBRATION
    samples = asked.calibration or min(DEFAULT_CALIBRATION, most)
    suite = _suite(asked, samples, timed=timed)
    bench = bench_of(suite, network=network, data=data)
    if asked.keeps and bench.kept is None:
        raise ModelError(f"{asked.model}: {NOT_QUANTIZED}")
    if calibrated and asked.source == DATA:
        data.calibration_indices(samples, asked.seed)
    return suite, bench


def _calibrated(asked: Asked, network: Network) -> bool:
    """Whether a stage looks at calibration images."""
    specs = assigned_network(asked, network).specs.values()
    return parse_recipe(asked.recipe).needs_samples or any(not spec.activations.is_float for spec in specs)


def kept_network(asked: Asked) -> QuantizedNetwork:
    """Return what a quantized file says; raise ModelError where it holds no codes, or none that can be read."""
    found = read_codes(model_path(asked.model), shapes=known_shapes(asked.model) | dict(asked.shapes))
    if found is None:
        raise ModelError(f"{asked.model}: {NOT_QUANTIZED}")
    return found


def _suite(asked: Asked, samples: int, *, timed: bool) -> Suite:
    common: dict[str, Any] = {
        "spec": None if asked.keeps else (asked.spec,), "recipe": (asked.recipe,), "variant": (asked.variant,),
        "overrides": {rule.pattern: rule.spec for rule in asked.rules},
    }  # fmt: skip
    sweeps = [Sweep(name=SWEEP, measure=("accuracy", "speed") if timed else ("accuracy",), **common)]
    if asked.accumulator:
        sweeps.append(Sweep(name="accumulator", accumulator=(asked.accumulator,), **common))
    return Suite(
        name=SUITE_NAME,
        title=f"{Path(asked.model).stem}, {'as it is' if asked.keeps else f'{asked.spec} by {asked.recipe}'}",
        model=asked.model,
        shapes={name: "x".join(map(str, sizes)) for name, sizes in asked.shapes.items() if isinstance(sizes, tuple)},
        bind={name: number for name, number in asked.shapes.items() if not isinstance(number, tuple)},
        data=asked.data,
        mean=asked.how.mean,
        std=asked.how.std,
        resize=asked.how.resize,
        crop=asked.how.crop,
        calibration=Calibration(samples=samples, seed=asked.seed, source=parse_source(asked.source)),
        threads=asked.threads,
        timing=Timing(batch_sizes=asked.batch_sizes, references=asked.references),
        sweeps=tuple(sweeps),
    )
