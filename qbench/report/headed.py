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
        return self.header.suite_title or self.header.suite_name
