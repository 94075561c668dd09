"""`run.json`: what a run was, where it ran, and what its machine can do. Facts that belong to no single trial."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from qbench.core.kinds import DEFAULT, KINDS
from qbench.errors import ResultsError

SCHEMA_VERSION = 1
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


class RunHeader(_Facts):
    """The contents of `run.json`; `schema_version` also covers the rows of `trials.jsonl`."""

    schema_version: int = SCHEMA_VERSION
    kind: str = DEFAULT
    """What the rows are, a name of `qbench.core.kinds`."""
    qbench_version: str
    suite_name: str
    suite_title: str = ""
    suite_text: str
    suite_sha256: str
    command_line: str = ""
    created_utc: str
    model: ModelFacts = ModelFacts()
    data: DataFacts = DataFacts()
    threads: int = 1
    target_keep: float = 0.99
    quick: bool = False
    environment: dict[str, Any] = {}
    ceilings: dict[str, float] = {}
    versions: dict[str, str] = {}
    canary: list[Any] = []
    unstable: bool = False
    bars: tuple[KernelBar, ...] = ()
    """Of a run of kernels."""
    finished: bool = False
    seconds: float = 0.0

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
    if version != SCHEMA_VERSION:
        raise ResultsError(f"{path}: expected results of schema version {SCHEMA_VERSION}, got {version!r}")
    try:
        return RunHeader.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{path}: damaged at '{where}': {first['msg']}") from error


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
