"""Runs as the site shows them: each with the name of its folder there, its machine in words, and what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qbench.core.trial import TrialResult
from qbench.errors import QBenchError, ResultsError
from qbench.report.banners import Banner
from qbench.report.headed import Headed
from qbench.report.site.check import differences, findings, refuse
from qbench.report.view import RunView, view_of
from qbench.results import Run, read_run
from qbench.results.header import FILE_NAME

_FEATURES = (
    ("amx_int8", "AMX"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx512f", "AVX-512"),
    ("avx_vnni", "AVX-VNNI"),
    ("avx2", "AVX2"),
    ("i8mm", "i8mm"),
    ("asimddp", "dot products"),
    ("asimd", "NEON"),
)
"""What the widest integer instructions of a processor are called, the best first."""
_LETTERS = 4
"""Of a machine's id, in its name."""
_DEEPEST = 3
"""Folders below a named one that are searched for runs: `results/<suite>/<run>`, and one more."""


@dataclass(frozen=True)
class Shown(Headed):
    """A run on the site.

    Args:
        name_here: of its folder on the site, unlike that of any other run.
        run: its files.
        remarks: what a reader has to know of it.
    """

    name_here: str
    run: Run[Any]
    remarks: tuple[Banner, ...] = ()

    @property
    def page(self) -> str:
        """Its page, as seen from the site's first page."""
        return f"runs/{self.name_here}/report.html"

    @property
    def is_network(self) -> bool:
        """Whether its rows are of networks."""
        return isinstance(self.run.results[0], TrialResult)

    @cached_property
    def view(self) -> RunView:
        """Rows and statistics of a run of a network."""
        return view_of(self.run)

    @property
    def machine_id(self) -> str:
        """The id of the machine that made it."""
        return next(iter(self.header.machines), "unknown")

    @property
    def machine_words(self) -> str:
        """The widest instructions and the number of cores; of a GPU the processor beside it."""
        environment = self.header.machine.environment
        if self.device:
            return str(environment.get("cpu_model", ""))
        features, cores = environment.get("cpu_features") or (), environment.get("cores_allowed")
        widest = next((word for feature, word in _FEATURES if feature in features), "")
        return ", ".join(part for part in (widest, f"{cores} cores" if cores else "") if part)

    @property
    def machine_name(self) -> str:
        """The processor, or the GPU, and the first letters of the machine's id, which tell twins apart."""
        return f"{self.machine} {self.machine_id[:_LETTERS]}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The runs of a site, the newest first, and a line for each one that was refused."""

    runs: tuple[Shown, ...]
    refused: tuple[str, ...]


def gather(paths: Sequence[Path]) -> Gathered:
    """Read every run that the paths mean: the folder of a run, of a suite, or of many of them.

    Raises:
        ResultsError: a path leads nowhere or holds no run, or no run is left.
    """
    found: dict[Path, Run[Any]] = {}
    refused = []
    for folder in dict.fromkeys(folder.resolve() for path in paths for folder in _folders(path)):
        try:
            run = read_run(folder)
            refuse(run)
        except QBenchError as error:
            refused.append(" ".join(str(error).split()))
        else:
            found[folder] = run
    if not found:
        raise ResultsError(refused[0] if len(refused) == 1 else f"no run is left of {len(refused)}: {refused[0]}")
    newest = sorted(found.values(), key=lambda run: (run.header.created_utc, str(run.folder)), reverse=True)
    names = _names(newest)
    apart = differences(list(zip(names, newest, strict=True)))
    shown = (Shown(name, run, (*findings(run), *apart[name])) for name, run in zip(names, newest, strict=True))
    return Gathered(tuple(shown), tuple(refused))


def _folders(path: Path) -> list[Path]:
    """Return the folders of the runs that a path means; raise ResultsError when there are none."""
    if (path / FILE_NAME).is_file():
        return [path]
    found = sorted(
        file.parent for depth in range(1, _DEEPEST + 1) for file in path.glob("/".join(["*"] * depth + [FILE_NAME]))
    )
    real = [folder for folder in found if not folder.is_symlink()]  # `latest` is one of the others
    if not real:
        what = "found no run in it" if path.is_dir() else "found nothing there"
        raise ResultsError(f"{path}: expected the folder of a run, or one that holds runs, {what}")
    return real


def _names(runs: Sequence[Run[Any]]) -> list[str]:
    """Return a folder's name for each run, unlike all others: its own, with its suite's before it where that is not."""
    own = [run.folder.name for run in runs]
    names: list[str] = []
    for run, name in zip(runs, own, strict=True):
        wanted = name if own.count(name) == 1 else f"{run.header.suite.name}-{name}"
        free = (f"{wanted}-{number}" if number > 1 else wanted for number in range(1, len(runs) + 2))
        names.append(next(candidate for candidate in free if candidate not in names))
    return names
