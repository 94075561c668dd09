"""What the report sees of a run of any kind."""

from __future__ import annotations

from typing import Any

from qbench.results import Run, RunHeader


class Headed:
    """A run with its name, its facts and its title."""

    run: Run[Any]

    @property
    def name(self) -> str:
        """The run's id: the name of its folder."""
        return self.run.folder.resolve().name

    @property
    def header(self) -> RunHeader:
        """The facts of the run."""
        return self.run.header

    @property
    def title(self) -> str:
        """The suite's title, or its name."""
        return self.header.suite.title or self.header.suite.name

    @property
    def device(self) -> str:
        """The GPU's name; "" where rows were made on the processor."""
        return str(self.header.machine.environment.get("cuda", {}).get("device", ""))

    @property
    def machine(self) -> str:
        """What rows were made on."""
        return self.device or str(self.header.machine.environment.get("cpu_model", "processor unknown"))

    @property
    def workers(self) -> str:
        """Who computed, for a subtitle: the threads, or the GPU."""
        return self.device or f"{self.header.suite.threads} threads"
