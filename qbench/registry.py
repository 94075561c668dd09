"""Tables of parts: name -> "module:attribute", imported on first use, extended by entry points.

Each plug-in room's `__init__.py` holds one `Registry`. To add a part: one file, one line. Other packages add theirs by
an entry-point group of the same name as the table (`qbench.methods`, `qbench.metrics`, `qbench.peers` ...); a name of
qbench's own is refused there.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from qbench.errors import QBenchError, suggest


class Registry(Mapping[str, str]):
    """A read-only table of names and import targets; `load` imports one part.

    Args:
        group: the entry-point group, and the word used in messages, e.g. `qbench.methods`.
        table: name -> "module:attribute".
    """

    def __init__(self, group: str, table: Mapping[str, str]) -> None:
        self.group = group
        self._own = dict(table)
        self._parts: dict[str, Any] = {}

    @cached_property
    def _table(self) -> dict[str, str]:
        from importlib.metadata import entry_points  # 3 MB that a saved network runs without

        added = {point.name: point for point in entry_points(group=self.group)}
        for name in added.keys() & self._own.keys():
            package = added[name].dist
            whose = f" of the package {package.name}" if package else ""
            raise QBenchError(f"{self.group}: '{name}'{whose} is a name of qbench's own")
        return {**{name: point.value for name, point in added.items()}, **self._own}

    def __getitem__(self, name: str) -> str:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def load(self, name: str) -> Any:
        """Import and return the part `name`; raise QBenchError with a suggestion when there is none."""
        if name not in self._table:
            kind = self.group.removeprefix("qbench.").removesuffix("s")
            raise QBenchError(f"unknown {kind} '{name}'{suggest(name, self._table)}")
        module, _, attribute = self._table[name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def part(self, name: str) -> Any:
        """Return the part `name` ready to use, always the same one: a class is called without arguments."""
        if name not in self._parts:
            found = self.load(name)
            self._parts[name] = found() if isinstance(found, type) else found
        return self._parts[name]
