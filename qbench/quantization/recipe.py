"""Recipes: the ordered stages that make a quantized network, and the one place where their text is read.

    recipe = [before "/"]* method ["+" rounding]* ["/" after]*          e.g. mse, mse/bias, cle/mse+gptq/both
    before, rounding, after = name ["(" value ")"]                      e.g. smoothquant, smoothquant(0.8)
    recipe = quantizer ["(" algorithm ")"]                              e.g. onnxruntime, onnxruntime(entropy)

A value that is the default is left out, so that one recipe has one text. A quantizer of another tool makes the whole
network and stands by itself.
`none` by itself is the recipe without stages: the network stays in float32. So is `keep`: a quantized file
says all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qbench.core.recipe import KEEP, NONE, RecipeParts
from qbench.core.spec import LayerSpec
from qbench.errors import QBenchError, suggest
from qbench.graph import QuantizedNetwork
from qbench.methods import METHODS
from qbench.peers.quantizers import QUANTIZERS
from qbench.quantization.by_quantizer import ByQuantizer
from qbench.quantization.observations import Observations
from qbench.quantization.per_layer import PerLayer
from qbench.quantization.stages import STAGES, Place, Stage, name_of, stage_of, value_of, word_of

_WHERE: dict[Place, str] = {
    "before": "before the method",
    "codes": "as the method",
    "rounding": "behind the method and a '+'",
    "after": "after the method",
}


_ALONE = {NONE: "quantizes nothing", KEEP: "takes what a quantized file says"}
"""What has no stages at the method's place -> why nothing stands beside it."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Ordered stages, checked.

    Args:
        parts: the words.
        stages: in order; none for `none` and `keep`.
    """

    parts: RecipeParts
    stages: tuple[Stage, ...]

    @property
    def text(self) -> str:
        """The canonical text."""
        return self.parts.text

    @property
    def versions(self) -> dict[str, int]:
        """Version of every stage, by name: what a cached row depends on."""
        return {stage.name: stage.version for stage in self.stages}

    @property
    def distributions(self) -> tuple[str, ...]:
        """The packages of other tools that make the network."""
        return tuple(name for stage in self.stages if isinstance(stage, ByQuantizer) for name in stage.distributions)

    @property
    def needs_samples(self) -> bool:
        """Whether a stage looks at calibration samples even where no activation is quantized."""
        return any(stage.needs_samples for stage in self.stages)

    def samples_needed(self, specs: Iterable[LayerSpec]) -> str | None:
        """Return why the layers' specs cannot be made without calibration samples, or None."""
        looking = next((word_of(stage) for stage in self.stages if stage.needs_samples), None)
        if looking:
            return f"source 'none': {looking} looks at calibration samples"
        wide = next((spec.token for spec in specs if not spec.activations.is_float), None)
        return f"source 'none': activations of {wide} need calibration samples" if wide else None

    def supports(self, spec: LayerSpec) -> str | None:
        """Return why a stage cannot take part in making `spec`, or None."""
        return next((why for stage in self.stages if (why := stage.supports(spec))), None)

    def apply(self, quantized: QuantizedNetwork, seen: Observations, *, seed: int = 0) -> QuantizedNetwork:
        """Return the network after all stages.

        Args:
            quantized: in float32; `specs` says what each layer is to become.
            seen: what the calibration samples show of this network.
            seed: of every random choice.

        Raises:
            QBenchError: a stage refuses the network, a spec or a tensor.
        """
        chain, shared = tuple[str, ...](), True
        for stage in self.stages:
            quantized = stage.apply(quantized, seen, seed=seed)
            if stage.place == "before":
                chain = (*chain, word_of(stage))
                shared &= not getattr(stage, "reads_specs", False)
                seen = seen.of(quantized.network, chain=(*chain, seed) if shared else None)
        return quantized


def parse_recipe(text: str) -> Recipe:
    """Return the recipe of a text; raise QBenchError when a stage is unknown, doubled, or out of order."""
    segments = [segment.strip() for segment in text.strip().split("/")]
    known = (*METHODS, NONE, KEEP, *QUANTIZERS)
    at = [place for place, segment in enumerate(segments) if _codes_name(segment.partition("+")[0]) in known]
    if len(at) != 1:
        got = " and ".join(segments[place] for place in at) or "none"
        word = next((one for one in segments if name_of(one.partition("+")[0]) not in STAGES), "")
        hint = suggest(word, (*known, *STAGES)) if word and not at else ""
        raise QBenchError(f"recipe '{text}': expected one method, got {got}{hint}")
    codes, *roundings = segments[at[0]].split("+")
    before, after = segments[: at[0]], segments[at[0] + 1 :]
    alone = _ALONE.get(codes, "makes the whole network" if codes not in METHODS else "")
    if alone and (len(segments) > 1 or roundings):
        raise QBenchError(f"recipe '{text}': '{codes}' {alone} and stands by itself")
    if codes in _ALONE:
        return Recipe(RecipeParts(codes), ())
    if alone:
        made = _by_quantizer(codes, text)
        return Recipe(RecipeParts(made.word), (made,))
    places: tuple[tuple[list[str], Place], ...] = ((before, "before"), (roundings, "rounding"), (after, "after"))
    first, second, third = (_stages(words, place, text) for words, place in places)
    parts = RecipeParts(
        codes, "/".join(map(word_of, first)), "+".join(map(word_of, second)), "/".join(map(word_of, third))
    )
    return Recipe(parts, (*first, PerLayer(codes), *second, *third))


def _codes_name(word: str) -> str:
    """Return what makes codes, without the algorithm in brackets that only quantizers have."""
    name = name_of(word)
    return name if name in QUANTIZERS else word


def _by_quantizer(word: str, text: str) -> ByQuantizer:
    """Return the stage of a quantizer and the algorithm in its brackets; raise QBenchError for one that is unknown."""
    name = name_of(word)
    default: str = next(iter(QUANTIZERS.part(name).algorithms))
    try:
        value = value_of(word)
        return ByQuantizer(name, default).tuned(default if value is None else value)
    except QBenchError as error:
        raise QBenchError(f"recipe '{text}': quantizer '{name}': {error}") from error


def _stages(words: list[str], place: Place, text: str) -> list[Stage]:
    """Return the stages of a part of a recipe."""
    found: list[Stage] = []
    for word in words:
        try:
            stage = stage_of(word, stage_names(place))
        except QBenchError as error:
            raise QBenchError(f"recipe '{text}': {error}") from error
        name = stage.name
        if stage.place != place:
            raise QBenchError(f"recipe '{text}': expected '{name}' {_WHERE[stage.place]}, got it {_WHERE[place]}")
        if name in {other.name for other in found}:
            raise QBenchError(f"recipe '{text}': expected every stage once, got '{name}' twice")
        found.append(stage)
    return found


def stage_names(place: Place) -> list[str]:
    """Return the stages of the table that may stand at a place."""
    return [name for name in STAGES if STAGES.part(name).place == place]
