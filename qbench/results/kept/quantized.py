"""What `qbench quantize` found out about one network: `quantized.json`. Statistics are computed on reading."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.metrics import load_task
from qbench.results.header import DataFacts, MachineFacts, ModelFacts
from qbench.results.kept.analysis import Analysis
from qbench.results.reader import NetworkRun, read_run

FILE_NAME = "quantized.json"
SCHEMA_VERSION = 2
"""1 repeated what the run beside it says now."""

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
class Product:
    """What stands beside the row of a network that was kept: the contents of `quantized.json`.

    Args:
        key: of the trial.
        disk_bytes: bytes of the files of the saved network.
        steps: in the order in which they run, on one thread; empty where nothing was timed.
        pass_s: median of a call on one thread with as many images as the steps that take the most.
        float_reasons: layer or tensor -> why it did not run in integers.
        variant: the kernels that were chosen, and `best_variant` the best that this machine can run.
        inside: what the network looks like inside; None in files of before it was looked at.
    """

    key: str
    disk_bytes: int
    steps: tuple[StepTime, ...]
    pass_s: float
    float_reasons: dict[str, str]
    variant: str
    best_variant: str
    inside: Analysis | None = None
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class QuantizedResult:
    """One network, quantized once: a run of one trial, and what was kept beside it."""

    run: NetworkRun
    product: Product

    @property
    def row(self) -> TrialResult:
        """The trial's row."""
        return next(row for row in self.run.results if row.trial.key == self.product.key)

    @property
    def model(self) -> ModelFacts:
        """The network."""
        return self.run.header.model

    @property
    def data(self) -> DataFacts:
        """What it was scored on."""
        return self.run.header.data

    @property
    def fp32(self) -> dict[str, Metric]:
        """Scores of the fp32 row; none where it failed."""
        return self.run.baseline.metrics if self.run.baseline else {}

    @property
    def machine(self) -> MachineFacts:
        """The machine that it ran on: its ceilings, and whether it moved while times were taken."""
        return self.run.header.machine_of(self.row.machine)

    @property
    def labelled(self) -> bool:
        """Whether right answers were known."""
        return load_task(self.run.header.suite.task).labelled


_PRODUCT = TypeAdapter(Product)


def write_product(product: Product, folder: Path) -> Path:
    """Write `quantized.json` into `folder` and return its path; raise ResultsError when it cannot be written."""
    path, fresh = folder / FILE_NAME, folder / f".{FILE_NAME}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(product), indent=1, allow_nan=False, default=lambda value: value.item())
        fresh.write_text(text + "\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot write: {error.strerror}") from error
    return path


def read_quantized(folder: Path) -> QuantizedResult:
    """Return the run of one quantized network; raise ResultsError when a file is missing, damaged or too old."""
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
        product = _PRODUCT.validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{path}: damaged at '{where}': {first['msg']}") from error
    found = QuantizedResult(read_run(folder, kind="network"), product)
    if product.key not in {row.trial.key for row in found.run.results}:
        raise ResultsError(f"{path}: expected the row of '{product.key}' beside it, found none")
    return found
