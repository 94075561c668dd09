"""The table of stages beside the methods, and what a stage promises. To add one: one file, one line here."""

from __future__ import annotations

import re
from typing import Literal, Protocol, runtime_checkable

from qbench.core.spec import LayerSpec
from qbench.errors import QBenchError, suggest
from qbench.graph import QuantizedNetwork
from qbench.quantization.observations import Observations
from qbench.registry import Registry

Place = Literal["before", "codes", "rounding", "after"]
"""Where a stage may stand: it changes the float network, makes codes, rounds them anew, or corrects what was made."""


class Stage(Protocol):
    """One step from a network in float32 to a quantized one. Stateless: the same input and seed give the same output.

    Attributes:
        name: the word in recipes.
        version: raised whenever what the stage computes changes: part of the hash under which rows are cached.
        place: where in a recipe it may stand.
        needs_samples: whether it looks at calibration samples (activations that are quantized always do).

    A stage of place `before` whose result depends on what layers are to become has `reads_specs = True` besides; what
    the samples show behind it is then not shared with trials of other specs.
    """

    @property
    def name(self) -> str:
        """The word in recipes."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever what the stage computes changes."""
        ...

    @property
    def place(self) -> Place:
        """Where in a recipe it may stand."""
        ...

    @property
    def needs_samples(self) -> bool:
        """Whether it looks at calibration samples."""
        ...

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why the stage cannot take part in making `spec` of a layer, or None."""
        ...

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int) -> QuantizedNetwork:
        """Return the network after this stage.

        Args:
            quantized: the network after the stages before; `specs` says what each layer is to become.
            seen: what the calibration samples show of its float network.
            seed: of every random choice.

        Raises:
            UnsuitableError: the stage cannot do this network, said before anything is computed: the row is skipped.
            QBenchError: something else is wrong, found on the way: the row failed.
        """
        ...


@runtime_checkable
class Tunable(Protocol):
    """What a stage has besides that takes a value in brackets, `smoothquant(0.5)`."""

    @property
    def word(self) -> str:
        """The word in recipes, with the value unless it is the default."""
        ...

    def tuned(self, value: str) -> Stage:
        """Return the stage with the value of the text; raise QBenchError, `expected ..., got ...`, for a wrong one."""
        ...


_WORD = re.compile(r"(?P<name>[^()]*)(?:\((?P<value>[^()]*)\))?")


def name_of(word: str) -> str:
    """Return a word of a recipe without the value in its brackets."""
    return word.partition("(")[0].strip()


def value_of(word: str) -> str | None:
    """Return the value in a word's brackets, None where it has none; raise QBenchError where they do not close."""
    found = _WORD.fullmatch(word)
    if found is None:
        raise QBenchError(f"expected one value in brackets, got '{word}'")
    return None if found["value"] is None else found["value"].strip()


def word_of(stage: Stage) -> str:
    """Return a stage's word in recipes: its name, and a value that is not the default in brackets."""
    return stage.word if isinstance(stage, Tunable) else stage.name


def stage_of(word: str, known: list[str]) -> Stage:
    """Return the stage of a word such as `cle` or `smoothquant(0.5)`.

    Raises:
        QBenchError: there is none (`known` is searched for a name like it), or it does not take the value.
    """
    found = _WORD.fullmatch(word)
    name = found["name"].strip() if found else word
    if found is None or name not in STAGES:
        raise QBenchError(f"unknown stage '{word}'{suggest(name, known)}")
    stage: Stage = STAGES.part(name)
    if found["value"] is None:
        return stage
    if not isinstance(stage, Tunable):
        raise QBenchError(f"expected '{name}' without brackets, got '{word}'")
    try:
        return stage.tuned(found["value"].strip())
    except QBenchError as error:
        raise QBenchError(f"stage '{name}': {error}") from error


STAGES = Registry(
    "qbench.stages",
    {
        "cle": "qbench.quantization.cle:CrossLayerEqualization",
        "smoothquant": "qbench.quantization.transforms.smoothquant:SmoothQuant",
        "awq": "qbench.quantization.transforms.awq:Awq",
        "rotate": "qbench.quantization.transforms.rotate:Rotate",
        "gptq": "qbench.quantization.gptq:Gptq",
        "stochastic": "qbench.quantization.stochastic:Stochastic",
        "seqmse": "qbench.quantization.seqmse:Seqmse",
        "adaround": "qbench.quantization.adaround:Adaround",
        "signround": "qbench.quantization.signround:Signround",
        "brecq": "qbench.quantization.reconstruction:Brecq",
        "qdrop": "qbench.quantization.reconstruction:Qdrop",
        "lsq": "qbench.quantization.reconstruction:Lsq",
        "variance": "qbench.quantization.corrections:Variance",
        "bias": "qbench.quantization.corrections:Bias",
        "both": "qbench.quantization.corrections:Both",
        "bn_reestimate": "qbench.quantization.bn_reestimate:BnReestimate",
        "lowrank": "qbench.quantization.lowrank:LowRank",
        "vit": "qbench.quantization.vit:Vit",
    },
)
