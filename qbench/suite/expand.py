"""Suite -> trials: the product of each sweep's axes, with the reason beside every cell that cannot be run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from qbench.core.accumulator import parse_accumulators
from qbench.core.calibration import NONE as NO_SAMPLES
from qbench.core.facts import spec_facts
from qbench.core.granularity import PerTensor, parse_granularity
from qbench.core.recipe import KEEP, RecipeParts
from qbench.core.rules import Kind, assign, edge_rules, rules_text
from qbench.core.spec import FLOAT, LayerSpec, QuantSpec, Scope, activation_uniform, parse_spec, weight_uniform
from qbench.core.trial import Trial
from qbench.errors import QBenchError, SuiteError, suggest
from qbench.suite.axes import CLOCKED, Measure
from qbench.suite.filter import parse_filter
from qbench.suite.schema import Cell, Suite, Sweep

Supports = Callable[[str, LayerSpec], str | None]
"""A recipe's text and a spec -> why it cannot be done, or None."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A trial, what is measured of it, and why it cannot be run ("" when it can)."""

    trial: Trial
    measure: tuple[Measure, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Choice:
    """One point of a product: what its spec shall be, or why the method has none."""

    spec: LayerSpec
    recipe: RecipeParts
    edges: str
    seed: int
    samples: int
    source: str
    variant: str
    backend: str
    accumulator: str = ""
    reason: str = ""


def expand(
    suite: Suite, layer_names: Sequence[str] | Mapping[str, Kind], supports: Supports | None = None, *, kept: str = ""
) -> tuple[Planned, ...]:
    """Return the trials of `suite` in order; the fp32 baseline is always the first, whatever the filter says.

    Args:
        suite: a checked suite.
        layer_names: the network's layers in order, for `layers: each` and globs; with their operator types where
            `overrides` may name types (layers given only by name count as convolutions).
        supports: recipe and spec -> why it cannot be done, or None; the default asks `qbench.quantization`.
        kept: token of what the model's file made of it where it is quantized already, for the recipe `keep`.

    Raises:
        SuiteError: a name or glob of `layers` or `overrides` matches no layer, rules contradict each other, or edges
            are asked for single layers.
    """
    ask = supports or recipe_supports
    kinds: Mapping[str, Kind] = layer_names if isinstance(layer_names, Mapping) else dict.fromkeys(layer_names, "conv")
    keep = parse_filter(suite.filter) if suite.filter else None
    planned = [_baseline(suite)]
    for sweep in suite.sweeps:
        unique: dict[str, Planned] = {}
        for item in _sweep_trials(suite, sweep, kinds, ask, kept):
            unique.setdefault(item.trial.key, item)
        planned += [item for item in unique.values() if keep is None or keep(item.trial)]
    return tuple(planned)


def recipe_supports(recipe: str, spec: LayerSpec) -> str | None:
    """Return why a recipe cannot make `spec`, or None."""
    from qbench.quantization import parse_recipe

    return parse_recipe(recipe).supports(spec)


def samples_needed(recipe: str, specs: Sequence[LayerSpec]) -> str | None:
    """Return why a recipe cannot make these specs without calibration samples, or None."""
    from qbench.quantization import parse_recipe

    return parse_recipe(recipe).samples_needed(specs)


def _baseline(suite: Suite) -> Planned:
    asked = {measure for sweep in suite.sweeps for measure in sweep.measure}
    asked |= {"speed"} if "layers" in asked else set()  # the network is what its layers are compared with
    timed = [measure for measure in CLOCKED if measure in asked - {"layers"}]
    measure: tuple[Measure, ...] = ("accuracy", *(timed if suite.device == "cpu" else ()))  # a device runs no float32
    trial = Trial(
        sweep="baseline",
        model=suite.model,
        data=suite.data,
        layers="all",
        spec="w32-a32",
        method="none",
        calibration=suite.calibration.samples,
        seed=suite.calibration.seed,
        source=suite.calibration.source,
        batch_sizes=suite.timing.batch_sizes if len(measure) > 1 else (),
    )
    return Planned(trial, measure)


def _sweep_trials(
    suite: Suite, sweep: Sweep, kinds: Mapping[str, Kind], supports: Supports, kept: str
) -> Iterator[Planned]:
    layers = _layers(sweep, [name for name, kind in kinds.items() if kind != "attention"])
    timed = bool({*CLOCKED} & set(sweep.measure))
    for cell in sweep.cells():
        for choice, layer in product(list(_choices(suite, cell, kept)), layers):
            if choice.recipe.method == KEEP and (choice.edges or sweep.overrides or layer != "all"):
                raise SuiteError(
                    f"sweep '{sweep.name}': 'recipe: keep' goes with no rules for layers, edges or 'layers'"
                )
            if choice.edges and layer != "all":
                raise SuiteError(f"sweep '{sweep.name}': 'edges' goes with 'layers: all', not with single layers")
            assigned = _assigned(sweep, choice, kinds) if sweep.overrides else ()
            trial = Trial(
                sweep=sweep.name,
                model=suite.model,
                data=suite.data,
                layers=layer,
                spec=choice.spec.token,
                edges="" if choice.edges == choice.spec.token else choice.edges,
                calibration=0 if choice.source == NO_SAMPLES else choice.samples or suite.calibration.samples,
                samples=0 if choice.source == NO_SAMPLES else choice.samples,
                source=choice.source,
                seed=choice.seed,
                variant=choice.variant,
                batch_sizes=suite.timing.batch_sizes if timed and not choice.accumulator else (),
                backend=choice.backend,
                overrides=rules_text(sweep.rules),
                accumulator=choice.accumulator,
                **asdict(choice.recipe),
            )
            if not any(_matches(trial, pattern) for pattern in sweep.exclude):
                measure: tuple[Measure, ...] = ("accuracy",) if choice.accumulator else sweep.measure
                yield Planned(trial, measure, choice.reason or _why_not(choice, assigned, supports))


def _layers(sweep: Sweep, layer_names: Sequence[str]) -> tuple[str, ...]:
    chosen: list[str] = []
    for word in sweep.layers:
        if word == "all":
            found = ["all"]
        elif word == "each":
            found = list(layer_names)
        else:
            found = [name for name in layer_names if fnmatchcase(name, word)]
        if not found:
            raise SuiteError(f"sweep '{sweep.name}': no layer is named '{word}'{suggest(word, layer_names)}")
        chosen += found
    return tuple(dict.fromkeys(chosen))


def _choices(suite: Suite, cell: Cell, kept: str) -> Iterator[_Choice]:
    seeds = cell.seed or (suite.calibration.seed,)
    sums = [made for word in cell.accumulator or ("",) for made in _accumulators(word)]
    sources = cell.source or (suite.calibration.source,)
    others = (seeds, cell.samples or (0,), sources, cell.variant or ("auto",), cell.backend or ("qbench",), sums)
    for recipes in _recipes(cell):
        rest = list(product(cell.edges or ("",), recipes, *others))
        specs = _kept(kept) if recipes[0].method == KEEP else _specs(cell, recipes[0].method)
        for spec, reason in specs:
            for edges, recipe, seed, samples, source, variant, backend, accumulator in rest:
                yield _Choice(spec, recipe, edges, seed, samples, source, variant, backend, accumulator, reason)


def _accumulators(word: str) -> tuple[str, ...]:
    """Return the accumulators of a word as trials name them: two where it says bits alone."""
    return tuple(made.text for made in parse_accumulators(word)) if word else ("",)


def _recipes(cell: Cell) -> Iterator[tuple[RecipeParts, ...]]:
    """Yield the recipes of a cell, those of one method together."""
    from qbench.quantization import parse_recipe

    for text in cell.recipe or ():
        yield (parse_recipe(text).parts,)
    for method in cell.method or ():
        yield tuple(RecipeParts(method, correction=correction) for correction in cell.correction or ("",))


def _kept(token: str) -> Iterator[tuple[LayerSpec, str]]:
    """Yield what the model's own file says, or why it says nothing."""
    yield parse_spec(token or "w32-a32"), "" if token else "the model's file is not quantized: nothing is there to keep"


def _specs(cell: Cell, method: str) -> Iterator[tuple[LayerSpec, str]]:
    """Yield each spec of `cell`, with the reason when `method` has no format of that width."""
    if cell.spec:
        yield from (_resolved(parse_spec(token), method) for token in cell.spec)
        return
    scopes: tuple[Scope, ...] = cell.scope or ("full",)
    for scope, bits, grain in product(scopes, cell.bits or (), cell.granularity or ("channel",)):
        for activation_bits in (cell.activation_bits or (bits,)) if scope == "full" else (bits,):
            yield _spec(scope, method, (bits, activation_bits), grain)


def _resolved(spec: LayerSpec, method: str) -> tuple[LayerSpec, str]:
    """Return what the widths of `spec` mean to `method`, or `spec` itself and why they mean nothing."""
    if method == "none":
        return spec, ""
    from qbench.methods import method_spec

    try:
        return method_spec(_method(method), spec), ""
    except QBenchError as error:
        return spec, str(error)


def _spec(scope: Scope, method: str, bits: tuple[int, int], grain: str) -> tuple[LayerSpec, str]:
    from qbench.methods import weight_granularity

    weights, activations, reason = FLOAT, FLOAT, ""
    if scope in ("weights", "full"):
        try:
            weights = QuantSpec(
                _method(method).weight_format(bits[0]), weight_granularity(_method(method), parse_granularity(grain))
            )
        except QBenchError as error:
            weights, reason = QuantSpec(weight_uniform(bits[0]), parse_granularity(grain)), str(error)
    if scope in ("activations", "full"):
        try:
            activations = QuantSpec(_method(method).activation_format(bits[1]), PerTensor())
        except QBenchError as error:
            activations, reason = QuantSpec(activation_uniform(bits[1]), PerTensor()), reason or str(error)
    return LayerSpec(weights, activations), reason


def _method(name: str) -> Any:
    from qbench.quantization import formats_of

    return formats_of(name)


def _assigned(sweep: Sweep, choice: _Choice, kinds: Mapping[str, Kind]) -> tuple[str, ...]:
    """Return the tokens that the sweep's rules give to layers; raise SuiteError when a rule is wrong."""
    try:
        found = assign(kinds, choice.spec.token, (*sweep.rules, *edge_rules(choice.edges)))
    except QBenchError as error:
        raise SuiteError(f"sweep '{sweep.name}': {error}") from error
    return tuple(dict.fromkeys(found.values()))


def _why_not(choice: _Choice, assigned: Sequence[str], supports: Supports) -> str:
    """Return why the method cannot do the spec, the edges' spec or one that a rule gives to a layer, or ""."""
    method = choice.recipe.method
    if method == KEEP:
        return choice.reason
    if method == "none":
        return "" if choice.spec.scope == "none" else "the method 'none' quantizes nothing"
    asked = [(choice.spec, "")]
    if choice.edges:
        asked.append(_resolved(parse_spec(choice.edges), method))
    asked += [_resolved(parse_spec(token), method) for token in assigned]
    refused = next((why for spec, reason in asked if (why := reason or supports(choice.recipe.text, spec))), "")
    if refused or choice.source != NO_SAMPLES:
        return refused
    return samples_needed(choice.recipe.text, [spec for spec, _ in asked]) or ""


def _matches(trial: Trial, pattern: Cell) -> bool:
    """Return whether every axis that `pattern` names holds the trial's value."""
    facts: dict[str, Any] = {**spec_facts(trial)}
    for axis, allowed in pattern:
        value = facts[axis] if axis in facts else getattr(trial, axis)
        if allowed is not None and value not in allowed:
            return False
    return True
