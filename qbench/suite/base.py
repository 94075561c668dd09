"""What suites of every kind say, and how a suite is written out and compared with another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, PrivateAttr

from qbench.suite.axes import DeviceName, PlainName


class Strict(BaseModel):
    """A mapping of the suite file: unknown keys and mistaken types are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class AnySuite(Strict):
    """A whole suite of any kind, resolved: base suites merged, values of the command line in place."""

    kind: str
    name: PlainName
    """Name of the suite, and of its folder under `results/`."""
    title: str = ""
    """A line for people."""
    device: DeviceName = "cpu"
    """Where everything runs and is timed: `cpu`, or `cuda` for the first GPU."""

    MEANINGLESS: ClassVar[frozenset[str]] = frozenset()
    """Keys that change no row: two suites that differ in them alone continue each other's runs."""

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Keys, of whatever part of a suite, that there were not always: while they say nothing they are left out, so that
    earlier runs are continued. Their defaults are empty."""

    _folder: Path = PrivateAttr(default=Path())

    def each(self) -> tuple[Self, ...]:
        """Return the suites that this one stands for, one run each: itself alone, unless it names several networks."""
        return (self,)

    @property
    def text(self) -> str:
        """The resolved suite as YAML, without the keys that keep their default."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)

    @property
    def sha256(self) -> str:
        """Hash of what the suite means: comments, order of keys and written-out defaults make no difference."""
        left_out = self.MEANINGLESS | ({"device"} if self.device == "cpu" else set())  # as before there were devices
        data = _without(self.model_dump(mode="json", exclude=set(left_out)), self.LATER)
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _without(data: Any, later: frozenset[str]) -> Any:
    """Return a suite's data without the keys of `later` that say nothing."""
    if isinstance(data, dict):
        return {key: _without(value, later) for key, value in data.items() if value or key not in later}
    return [_without(value, later) for value in data] if isinstance(data, list) else data


def doubled(names: list[str]) -> str:
    """Return the first name that occurs twice, "" when none does."""
    return next((name for name in sorted(names) if names.count(name) > 1), "")
