"""What trials share: a network, the samples that it is scored on, fp32 answers, observations, prepared peers.

Each is made once, when the first trial asks for it. A bench is built of a network, data and threads; which trials run
on it is no concern of its.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qbench.core.recipe import KEEP
from qbench.core.rules import edge_rules, parse_rules
from qbench.core.several import Inputs, contiguous
from qbench.core.tensor import Floats
from qbench.core.trial import Trial
from qbench.engine import FloatSession, build_session
from qbench.errors import DataError, MachineError, ModelError
from qbench.graph import Network, QuantizedNetwork
from qbench.metrics import Answers, Task, task_of
from qbench.peers import PEERS, Peer, Prepared
from qbench.peers.peer import Precision
from qbench.quantization import Observations, assigned, parse_recipe
from qbench.runner.networks.calibration import Calibration
from qbench.runner.networks.doctor import look
from qbench.runner.networks.score import all_logits, answers
from qbench.runner.networks.suspects import suspicions
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from qbench.zoo import Samples
from qbench.zoo.arrays import Arrays

INDEPENDENT = "onnxruntime-fp32"
"""The runtime whose fp32 answers every row is compared with."""

NOT_QUANTIZED = "recipe 'keep': expected a file that is quantized already, got a network of float32 numbers"


QDQ_SPEC, QDQ_METHOD = "w8c-a8t", "mse"
"""What int8 peers are given: the very scales of qbench's own row of this spec and method."""


@dataclass(frozen=True, slots=True)
class References:
    """Other libraries that run the network in turns with qbench.

    Args:
        names: of the peers.
        samples: calibration samples on which the scales of int8 peers are chosen.
        seed: draw of these samples.
        source: where they come from, as in `Trial`.
    """

    names: tuple[str, ...] = ()
    samples: int = 512
    seed: int = 0
    source: str = ""


NO_REFERENCES = References()


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Right answers of a peer.

    Args:
        plain: fp32's.
        simulated: those of the codes that the peer was handed, in qbench's own arithmetic; None for a peer of floats.
    """

    plain: Floats
    simulated: Floats | None = None


def simulation(quantized: QuantizedNetwork, inputs: Inputs, *, threads: int) -> Floats:
    """Return the logits of a quantized network in qbench's own arithmetic."""
    with build_session(quantized, threads=threads) as session:
        return answers(session, inputs)


def peer(name: str) -> Peer:
    """Return the peer `name`."""
    found: Peer = PEERS.part(name)
    return found


class Bench:
    """A network, its samples, and what was computed from them so far.

    Args:
        network: in float32.
        data: what it is calibrated and scored on.
        threads: of every session and of every peer.
        limit: evaluate on the first so many samples, None for all.
        references: other libraries that take turns.
        task: name of how answers are scored, "" for what suits the data.
        kept: what the network's file says where it is quantized already, None where it is not.

    Raises:
        DataError: the network cannot take these samples, or its answers cannot be scored by the task.
    """

    def __init__(
        self, network: Network, data: Samples, *, threads: int, limit: int | None = None,
        references: References = NO_REFERENCES, task: str = "", kept: QuantizedNetwork | None = None,
    ) -> None:  # fmt: skip
        self.network, self.data, self.threads, self.limit = network, data, threads, limit
        self.references, self.kept = references, kept
        self.task: Task = task_of(task, labelled=self.labelled)
        _check_fit(network, data)
        _check_task(self.task, network, data, labelled=self.labelled)
        self.calibration = Calibration(network, data, threads)
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._simulated: dict[int, Floats] = {}

    @cached_property
    def inputs(self) -> Inputs:
        """The evaluation samples: images as float32 NCHW, or whatever numbers the network takes, for each input."""
        return self.data.inputs(0, self.limit)

    @property
    def count(self) -> int:
        """Number of evaluation samples."""
        return min(self.limit or len(self.data), len(self.data))

    @property
    def uses_all_images(self) -> bool:
        """Whether no limit leaves evaluation samples out."""
        return self.count == len(self.data)

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
        return Answers(all_logits(prepared, self.inputs), labels, self.task, self.network.shapes[self.network.answer])

    @cached_property
    def own_logits(self) -> Floats:
        """What qbench's own graph answers in fp32."""
        with FloatSession(self.network, threads=self.threads) as session:
            return all_logits(session, self.inputs)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What looks suspicious about the samples, before anything is computed."""
        return look(self.data, self.network, self.count)

    @cached_property
    def suspicions(self) -> list[str]:
        """What is likely to be wrong where fp32 itself answers badly."""

        def run(inputs: Floats) -> Floats:
            with FloatSession(self.network, threads=self.threads) as session:
                return all_logits(session, inputs)

        operations = sum(self.network.operations(layer.name) for layer in self.network.layers)
        return suspicions(self.answers, self.data, operations=operations, run=run)

    def observations(self, trial: Trial) -> Observations:
        """Return what a trial's calibration samples show of the fp32 network."""
        return self.calibration.observations(trial.calibration, trial.seed, trial.source)

    def quantized(self, trial: Trial, phases: Phases) -> QuantizedNetwork:
        """Return the network quantized as a trial says; what it shares with other trials is computed once.

        Raises:
            QBenchError: a stage refuses a spec or a tensor, or a rule for single layers is wrong.
        """
        recipe = parse_recipe(trial.recipe)
        if trial.method == KEEP:
            return self._kept()
        if not recipe.stages:
            return QuantizedNetwork(self.network)
        rules = [*edge_rules(trial.edges), *parse_rules(trial.overrides)]
        plain = assigned(self.network, trial.spec, method=trial.method, rules=rules, only=trial.layers)
        seen = self.observations(trial).timed_by(phases)
        with phases("quantize"):
            return recipe.apply(plain, seen, seed=trial.seed)

    def _kept(self) -> QuantizedNetwork:
        if self.kept is None:
            raise ModelError(NOT_QUANTIZED)
        return self.kept

    @property
    def kept_token(self) -> str:
        """What the quantized file made of most of the network's products, as a spec's token; "" without one."""
        if self.kept is None:
            return ""
        shares: dict[str, int] = {}
        for name, spec in self.kept.specs.items():
            shares[spec.token] = shares.get(spec.token, 0) + self.kept.network.operations(name)
        return max(shares, key=lambda token: shares[token], default="w32-a32")

    def reference(self, name: str) -> Prepared:
        """Return the peer `name` holding the network.

        That is in fp32, or as QDQ with the scales of qbench's `w8c-a8t` row; a file that is quantized already as it is.
        """
        precision = peer(name).precision
        kind = "qdq" if precision == "int8" else "float"
        return self.prepared(name, kind, network=lambda: self.reference_network(precision))

    def expected_of(self, name: str, size: int) -> Expected:
        """Return what a peer's answers to a batch are held against; see `Expected`."""
        inputs = contiguous(self.inputs[np.arange(size) % len(self.inputs)])
        plain = self.answers.logits[np.arange(size) % len(self.inputs)]
        if peer(name).precision != "int8":
            return Expected(plain)
        if size not in self._simulated:
            self._simulated[size] = simulation(self.reference_int8, inputs, threads=self.threads)
        return Expected(plain, self._simulated[size])

    def reference_network(self, precision: Precision) -> QuantizedNetwork:
        """Return what peers of a precision hold; see `reference`."""
        return self.reference_int8 if precision == "int8" else QuantizedNetwork(self.network)

    @cached_property
    def reference_int8(self) -> QuantizedNetwork:
        """What int8 peers hold."""
        if self.kept is not None:
            return self.kept
        drawn = self.references
        trial = Trial(
            "reference", self.network.name, self.data.name, "all", QDQ_SPEC, QDQ_METHOD,
            calibration=drawn.samples, seed=drawn.seed, source=drawn.source,
        )  # fmt: skip
        return self.quantized(trial, Phases(Clock()))

    def prepared(self, name: str, kind: str, *, network: Callable[[], QuantizedNetwork]) -> Prepared:
        """Return a peer holding `network()`, prepared once for each peer and kind of network.

        Raises:
            MachineError: the peer cannot run here.
            ModelError: it refuses the network.
        """
        key = (name, kind)
        if key not in self._prepared:
            self._prepared[key] = self.prepare(name, network)
        return self._prepared[key]

    def prepare(self, name: str, network: Callable[[], QuantizedNetwork]) -> Prepared:
        """Return a peer holding `network()`, prepared anew; raise as `prepared`."""
        reason = peer(name).missing()
        if reason is not None:
            raise MachineError(f"{name}: {reason}")
        return peer(name).prepare(network(), threads=self.threads)


def _check_fit(network: Network, data: Samples) -> None:
    if isinstance(data, Arrays) and tuple(data.parts) == network.inputs:
        wanted, shapes = [tuple(network.shapes[name]) for name in network.inputs], data.sample_shapes
        if [*shapes] != wanted:
            raise DataError(f"data '{data.name}': network '{network.name}' expects {wanted}, got {[*shapes]}")
    elif len(network.inputs) != 1:
        names = ", ".join(f"'{name}'" for name in network.inputs)
        raise DataError(f"data '{data.name}': network '{network.name}' expects an array for each of {names}, got one")
    elif data.sample_shape != network.input_shape:
        expected, got = (" x ".join(map(str, shape)) for shape in (network.input_shape, data.sample_shape))
        what = "images of {} (channels, height, width)" if len(network.input_shape) == 3 else "samples of {}"
        raise DataError(f"data '{data.name}': network '{network.name}' expects {what.format(expected)}, got {got}")


def _check_task(task: Task, network: Network, data: Samples, *, labelled: bool) -> None:
    outputs = math.prod(network.shapes[network.answer])
    if task.outputs == "classes" and len(data.classes) > outputs:
        raise DataError(
            f"data '{data.name}': network '{network.name}' distinguishes {outputs} classes, got {len(data.classes)}"
        )
    if task.labelled and not labelled:
        why = "weights that were never trained" if data.labelled else f"data '{data.name}', which has none"
        raise DataError(f"task '{task.name}': expected labels to score by, got {why}")
    if outputs < task.least_outputs:
        raise DataError(
            f"task '{task.name}': expected at least {task.least_outputs} numbers per answer, "
            f"got {outputs} of network '{network.name}'"
        )
