"""Whether the packages of a peer are installed, by what package metadata says: nothing of them is loaded.

Loading every library into one process is no way to list them: with many installed, on some CPUs, one aborts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def installed(distributions: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the versions of packages by name, and the names of those that are not there."""
    found: dict[str, str] = {}
    missing = []
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            missing.append(name)
    return found, tuple(missing)
