"""How many compilations this process has begun: a timed region asserts that the number stays."""

from __future__ import annotations


class _Begun:
    count = 0


def count_compilation() -> None:
    """Count a compilation, or what is loaded in place of one."""
    _Begun.count += 1


def compilations() -> int:
    """Return how many compilations this process has begun."""
    return _Begun.count
