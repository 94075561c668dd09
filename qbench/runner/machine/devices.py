"""The devices that suites may name: what tells one machine from another, and whether it can run here at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

from qbench.results.header import machine_id
from qbench.runner.machine import environment


class Device(Protocol):
    """Where rows are made."""

    def unavailable(self) -> str | None:
        """Return why nothing can run on it here, or None."""
        ...

    def identity(self) -> str:
        """Return a word that differs between machines whose times cannot be compared."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return its facts, and those of the machine that it is in."""
        ...


class Cpu:
    """The processor, with the cores that this process may use."""

    def unavailable(self) -> str | None:
        """Return None: there is one."""
        return None

    def identity(self) -> str:
        """Return the fingerprint of its model, its features and its cores."""
        return machine_id(self.describe())

    def describe(self) -> dict[str, Any]:
        """Return the facts of this machine."""
        return environment.describe()


class Cuda:
    """The first GPU."""

    def unavailable(self) -> str | None:
        """Return what is missing: a library, the driver, a device."""
        from qbench.kernels.cuda.checks import family

        return family.unavailable()

    def identity(self) -> str:
        """Return the machine's fingerprint and the GPU's name."""
        return machine_id(self.describe())

    def describe(self) -> dict[str, Any]:
        """Return the facts of this machine, and those of the GPU under `cuda`."""
        return environment.describe() | {"cuda": _gpu() if self.unavailable() is None else {}}


@cache
def _gpu() -> dict[str, Any]:
    """Return what the first GPU says of itself; a process of its own asks it, and lets go of it again."""
    from qbench.runner.cuda.worker import Worker

    with Worker() as worker:
        return dict(worker.ask("facts"))


DEVICES: Mapping[str, Device] = {"cpu": Cpu(), "cuda": Cuda()}
"""Name, as `device:` of a suite says it -> device."""
