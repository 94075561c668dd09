"""What `qbench quantize` found out about one network: `quantized.json`. Statistics are computed on reading."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.results.header import DataFacts, ModelFacts
from qbench.results.rows import encode_row

FILE_NAME = "quantized.json"
SCHEMA_VERSION = 1

Role = Literal["product", "conversion", "other"]
ROLES: tuple[Role, ...] = ("product", "conversion", "other")


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step of the network, as it ran on one thread.

    Args:
        name: the node, or the tensor that is converted.
        kernel: what ran, e.g. `conv_u8_s8_u8/x86_vnni`.
        role: a layer's `product`, a `conversion` between number formats, or `other` (addition, pooling ...).
        integer: whether its arithmetic is integer.
        operations: of all images of the micro-batch, 2 per multiply-add.
        images: of the micro-batch.
        median_s: of several passes.
        moved_bytes: activations read and written, and weights.
    """

    name: str
    kernel: str
    role: Role
    integer: bool
    operations: int
    images: int
    median_s: float
    moved_bytes: int

    @property
    def image_s(self) -> float:
        """Seconds an image: late steps take more images at a time than early ones."""
        return self.median_s / self.images


@dataclass(frozen=True, slots=True)
class QuantizedResult:
    """One network, quantized once.

    Args:
        row: as a suite's row: what was asked, scores, times, layers, alarms.
        model: the network.
        data: what it was scored on.
        fp32: scores of the fp32 network by an independent runtime, empty without labels.
        disk_bytes: bytes of the files of the saved network.
        steps: in the order in which they run, on one thread; empty where nothing was timed.
        pass_s: median of a call on one thread with as many images as the steps that take the most.
        float_reasons: layer or tensor -> why it did not run in integers.
        variant: the kernels that were chosen, and `best_variant` the best that this machine can run.
        ceilings: what this machine can do, as in a run's header.
        unstable: whether the machine moved while times were taken.
        task: how answers were scored; files from before it was written down say nothing, and mean top-1.
    """

    row: TrialResult
    model: ModelFacts
    data: DataFacts
    fp32: dict[str, Metric]
    disk_bytes: int
    steps: tuple[StepTime, ...]
    pass_s: float
    float_reasons: dict[str, str]
    variant: str
    best_variant: str
    threads: int
    ceilings: dict[str, float]
    versions: dict[str, str]
    qbench_version: str
    command_line: str
    created_utc: str
    unstable: bool = False
    task: str = "top1"
    schema_version: int = SCHEMA_VERSION

    @property
    def labelled(self) -> bool:
        """Whether accuracy could be scored."""
        return bool(self.fp32)


_RESULT = TypeAdapter(QuantizedResult)


def write_quantized(result: QuantizedResult, folder: Path) -> Path:
    """Write `quantized.json` into `folder` and return its path; raise ResultsError when it cannot be written."""
    fields: dict[str, Any] = asdict(replace(result, row=None))  # type: ignore[arg-type]
    fields["row"] = json.loads(encode_row(result.row))
    fields["model"], fields["data"] = result.model.model_dump(mode="json"), result.data.model_dump(mode="json")
    path, fresh = folder / FILE_NAME, folder / f".{FILE_NAME}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(fields, indent=1, allow_nan=False, default=lambda value: value.item())
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot write: {error.strerror}") from error
    return path


def read_quantized(folder: Path) -> QuantizedResult:
    """Return what `write_quantized` wrote; raise ResultsError when it is missing, damaged, or of another version."""
    path = folder / FILE_NAME
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise ResultsError(f"{path}: cannot read: {error.strerror}") from error
    except ValueError as error:
        raise ResultsError(f"{path}: damaged: {' '.join(str(error).split())}") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != SCHEMA_VERSION:
        raise ResultsError(f"{path}: expected schema version {SCHEMA_VERSION}, got {version!r}")
    try:
        return _RESULT.validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{path}: damaged at '{where}': {first['msg']}") from error
