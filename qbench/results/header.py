"""`run.json`: what a run was, where it ran, and what its machine can do. Facts that belong to no single trial."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from qbench.core.kinds import DEFAULT, KINDS
from qbench.errors import ResultsError

SCHEMA_VERSION = 2
"""1: a header of one machine, whose facts stood among those of the run; rows do not say who made them."""
FILE_NAME = "run.json"


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


class ModelFacts(_Facts):
    """The network that was run."""

    name: str = ""
    sha256: str = ""
    layers: tuple[str, ...] = ()
    weights: int = 0
    operations: int = 0
    declared: dict[str, str] = {}
    """What the file says of itself, e.g. its accuracy."""


class DataFacts(_Facts):
    """The images that were scored and calibrated on."""

    name: str = ""
    sha256: str = ""
    images: int = 0
    """Number of evaluation images: the length of every row's `correct`."""
    classes: tuple[str, ...] = ()
    calibration_images: int = 0


class KernelBar(_Facts):
    """What a group of rows of a kernel suite has to show."""

    name: str
    against: str
    """`peers`, `ceiling`, the name of a peer, or a spec of qbench's own."""
    mean: float
    """Least geometric mean."""
    least: float | None = None
    """Least value of any row."""
    threads: int
    keys: tuple[str, ...]
    """Keys of the rows."""


class Ordered(_Facts):
    """Two rows, the second of which is expected to be no worse than the first."""

    worse: str
    """Key of the row that may be worse."""
    better: str
    strictly: bool
    """Whether it must be shown to be better."""


class Expected(_Facts):
    """What rows of a run of a network have to show: the suite's `expect`, with the rows that it is about."""

    name: str = ""
    column: str = ""
    least: float | None = None
    most: float | None = None
    keep: float | None = None
    """Share of the fp32 score that must be kept."""
    judge: str = "interval"
    """Whether the whole `interval` must hold a bound, or the `value`."""
    text: str = ""
    """What was asked, in words."""
    keys: tuple[str, ...] = ()
    """Keys of the rows that a bound or a share is about."""
    pairs: tuple[Ordered, ...] = ()


class MachineFacts(_Facts):
    """One machine that made rows of a run: what it is, what it can do, and whether it was steady."""

    environment: dict[str, Any] = {}
    """What the system says of it, what disturbs it, and what was checked on it."""
    versions: dict[str, str] = {}
    ceilings: dict[str, float] = {}
    """What it can do at most, measured before the first time was taken."""
    canary: list[Any] = []
    """Readings of what never changes, or of what the device says of itself, in the order in which they were taken."""
    unstable: bool = False


class SuiteFacts(_Facts):
    """What was asked: it is the same from the first row to the last."""

    name: str
    title: str = ""
    text: str = ""
    """The resolved suite as YAML."""
    sha256: str = ""
    """Hash of what the suite means."""
    threads: int = 1
    """The most that a row takes."""
    quick: bool = False
    """Whether times were taken roughly."""
    task: str = "top1"
    """How answers were scored: a name in `qbench.metrics.TASKS`; of a run of a network."""
    target_keep: float = 0.99
    """Share of the fp32 score that must be kept; of a run of a network."""
    bars: tuple[KernelBar, ...] = ()
    """Of a run of kernels."""
    expect: tuple[Expected, ...] = ()
    """Of a run of a network."""


class RunState(_Facts):
    """How far a run has got."""

    finished: bool = False
    seconds: float = 0.0


class RunHeader(_Facts):
    """The contents of `run.json`: what was asked, of what, on which machines, and how far it got.

    `schema_version` also covers the rows of `trials.jsonl`.
    """

    schema_version: int = SCHEMA_VERSION
    kind: str = DEFAULT
    """What the rows are, a name of `qbench.core.kinds`."""
    device: str = "cpu"
    """What the rows were made on: `cpu` or `cuda`."""
    qbench_version: str
    command_line: str = ""
    commit: str = ""
    """Of the repository that the command was given in, with `+` where files differ from it; "" where there is none."""
    created_utc: str
    suite: SuiteFacts
    model: ModelFacts = ModelFacts()
    data: DataFacts = DataFacts()
    machines: dict[str, MachineFacts] = {}
    """Id, as rows carry it -> facts."""
    state: RunState = RunState()

    @property
    def machine(self) -> MachineFacts:
        """The machine that all rows were made on, the first one where there are several."""
        return next(iter(self.machines.values()), MachineFacts())

    def machine_of(self, machine: str) -> MachineFacts:
        """Return the facts of the machine with an id; "" stands for the only one."""
        return self.machines.get(machine, self.machine)

    @property
    def unstable(self) -> bool:
        """Whether any machine was not steady while times were taken."""
        return any(machine.unstable for machine in self.machines.values())

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"expected {' or '.join(KINDS)}, got '{kind}'")
        return kind


def read_header(folder: Path) -> RunHeader:
    """Read `run.json` of a run folder.

    Raises:
        ResultsError: it is missing, damaged, or of another schema version.
    """
    path = folder / FILE_NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultsError(f"{folder}: expected the folder of a run, found no {FILE_NAME} in it") from error
    except OSError as error:
        raise ResultsError(f"{path}: cannot read: {error.strerror}") from error
    except ValueError as error:
        raise ResultsError(f"{path}: damaged: {error}") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version == 1 and isinstance(version, int):
        raw = _from_version_1(raw)
    elif version != SCHEMA_VERSION:
        raise ResultsError(f"{path}: expected results of schema version {SCHEMA_VERSION}, got {version!r}")
    try:
        return RunHeader.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{path}: damaged at '{where}': {first['msg']}") from error


def machine_id(environment: Mapping[str, Any]) -> str:
    """Return the id of a machine: the fingerprint of its processor, and the name of its GPU where that was used."""
    device = str(environment.get("cuda", {}).get("device", ""))
    words = "".join(letter if letter.isalnum() else " " for letter in device.lower()).split()
    return "-".join([str(environment.get("fingerprint", "unknown")), *words])


def _from_version_1(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header of a run of one machine, whose facts all stood side by side, as it is written today."""
    rest = dict(raw)

    def taken(names: Iterable[str], prefix: str = "") -> dict[str, Any]:
        return {name: rest.pop(f"{prefix}{name}") for name in names if f"{prefix}{name}" in rest}

    machine = taken(MachineFacts.model_fields)
    environment = machine.get("environment") or {}
    return {
        "suite": taken(("name", "title", "text", "sha256"), "suite_") | taken(SuiteFacts.model_fields),
        "state": taken(RunState.model_fields),
        "machines": {machine_id(environment): machine},
        "device": "cuda" if "cuda" in environment else "cpu",
        **rest,
        "schema_version": SCHEMA_VERSION,
    }


def write_header(folder: Path, header: RunHeader) -> None:
    """Write `run.json` so that a reader sees the old file or the new one, never a part; raise ResultsError."""
    path, fresh = folder / FILE_NAME, folder / f".{FILE_NAME}.new"
    try:
        with fresh.open("w", encoding="utf-8") as file:
            file.write(header.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ResultsError(f"{path}: cannot write: {error.strerror}") from error
