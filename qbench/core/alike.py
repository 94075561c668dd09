"""The fields of a trial by name, and which trials differ in one of them alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from qbench.core.facts import spec_facts
from qbench.core.trial import Trial

FIELDS = (
    "sweep", "layers", "spec", "edges", "overrides", "recipe", "method", "correction", "transform", "rounding",
    "seed", "calibration", "source", "variant", "accumulator", "backend", "model",
    "data", "scope", "bits", "weight_bits", "activation_bits", "format", "granularity",
)  # fmt: skip
_RECIPE = frozenset({"recipe", "method", "correction", "transform", "rounding"})
_SPEC = frozenset({"spec", "scope", "bits", "weight_bits", "activation_bits", "format", "granularity"})
_FOLLOWS: Mapping[str, Iterable[str]] = {
    "weight_bits": ("bits", "spec"),
    "activation_bits": ("bits", "spec"),
    "bits": ("weight_bits", "activation_bits", "spec"),
    "scope": _SPEC,
    "spec": _SPEC,
    "format": ("spec",),
    "granularity": ("spec",),
    "recipe": _RECIPE,
    "backend": _RECIPE,
    **{part: ("recipe",) for part in _RECIPE - {"recipe"}},
}
"""Field -> fields that change with it."""


def trial_fields(trial: Trial) -> dict[str, str | int]:
    """Return the values that filters can name, by the names of `FIELDS`."""
    named: dict[str, Any] = {**spec_facts(trial)}
    return {name: named[name] if name in named else getattr(trial, name) for name in FIELDS}


def all_but(trial: Trial, field: str) -> Hashable:
    """Return what trials share that differ in a field alone, whichever sweeps they are of."""
    left_out = {"sweep", field, *_FOLLOWS.get(field, ())}
    return tuple((name, value) for name, value in trial_fields(trial).items() if name not in left_out)
