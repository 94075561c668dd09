"""What a suite of kernels may say (`kind: kernels`): shapes, specs, batches, threads, other libraries, and bars."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from qbench.core.cells.product import OutputKind
from qbench.errors import QBenchError, SuiteError, suggest
from qbench.suite.axes import Against, ListOf, OwnSpec, PlainName, Spec, Variant, Word
from qbench.suite.kernels.filter import parse_kernel_filter
from qbench.suite.kernels.shapes import parse_shape, table
from qbench.suite.schema import Strict


def _shape(text: Any) -> Any:
    if isinstance(text, str):
        try:
            if " " in text:
                parse_shape(text, batch=1)
            else:
                table(text)
        except QBenchError as error:
            raise ValueError(str(error)) from error
    return text


def _peer(name: Any) -> Any:
    from qbench.peers.operators import OPERATORS

    if isinstance(name, str) and name not in OPERATORS:
        raise ValueError(f"unknown peer '{name}'{suggest(name, OPERATORS)}")
    return name


Shapes = Annotated[Word, BeforeValidator(_shape)]
OperatorName = Annotated[Word, BeforeValidator(_peer)]
Positive = Annotated[int, Field(ge=1)]


class KernelTiming(Strict):
    """How cells are timed."""

    precision: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """Stop when the relative half width of the median's 95 % interval is below this, for every party."""
    seconds_a_cell: Annotated[float, Field(gt=0)] = 1.0
    """Stop at the latest after this many seconds per party."""


class KernelSweep(Strict):
    """A product of shapes, specs, outputs, batches, threads and variants."""

    name: PlainName
    """Name of the sweep; the first part of its rows' keys."""
    shapes: ListOf[Shapes]
    """Names of tables (`resnet50`, `bert-base` ...) or shapes such as `gemm 512x768x3072` or `add 64x64x64x256`."""
    spec: ListOf[Spec] = ("w8c-a8t",)
    """Tokens of what is multiplied, e.g. `w4g32-a8t`, `wb-ab`."""
    out: ListOf[OutputKind] = ("u8",)
    """`s32` sums, `u8` codes (bias, scale, rounding and clamp fused) or `f32`."""
    batch: ListOf[Positive] = (1,)
    """Multiplies the images of a convolution and the rows of a product."""
    threads: ListOf[Positive] | None = None
    """Threads; the suite's own when left out."""
    variant: ListOf[Variant] = ("auto",)
    """qbench's kernel variants; `+direct` or `+winograd` after one pins how convolutions are computed."""
    own: tuple[OwnSpec, ...] = ()
    """Specs at which qbench itself takes turns too, e.g. `w8c-a8t`, or `w8c-a8t+direct`."""
    peers: tuple[OperatorName, ...] | None = None
    """Other libraries; the suite's own when left out."""


class Bar(Strict):
    """What a group of rows has to show; the report says whether it does."""

    name: Word
    """What it is about, for people."""
    where: Word
    """Which rows, e.g. `sweep == conv and threads == 1`; 1 and 2 threads are always judged apart."""
    against: Against = "peers"
    """`peers`: the best library of each shape; the name of a peer; a spec of qbench's own; `ceiling`; or `bandwidth`,
    of memory operations."""
    mean: Annotated[float, Field(gt=0)]
    """Least geometric mean of the ratios (or of the shares of the ceiling)."""
    least: Annotated[float, Field(gt=0)] | None = None
    """Least ratio of any row."""

    @field_validator("where")
    @classmethod
    def _check_where(cls, text: str) -> str:
        try:
            return parse_kernel_filter(text).text
        except SuiteError as error:
            raise ValueError(str(error)) from error


class KernelSuite(Strict):
    """A whole suite of kernels."""

    kind: Literal["kernels"]
    """`kernels`: single operations, not networks."""
    name: PlainName
    """Name of the suite, and of its folder under `results/`."""
    title: str = ""
    """A line for people."""
    threads: ListOf[Positive] = (1, 2)
    """Threads of every cell, unless its sweep says otherwise."""
    timing: KernelTiming = KernelTiming()
    peers: tuple[OperatorName, ...] = ()
    """Other libraries that take turns with qbench (`qbench list operators`); a row says which had no kernel for it."""
    filter: str | None = None
    """Keep only rows for which this holds, e.g. `kind == depthwise and threads == 1`; `--filter` sets it."""
    sweeps: Annotated[tuple[KernelSweep, ...], Field(min_length=1)]
    """What is timed."""
    bars: tuple[Bar, ...] = ()
    """What the rows have to show."""

    @field_validator("filter")
    @classmethod
    def _check_filter(cls, text: str | None) -> str | None:
        try:
            return None if text is None else parse_kernel_filter(text).text
        except SuiteError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _check(self) -> KernelSuite:
        names = [sweep.name for sweep in self.sweeps]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two sweeps are named '{doubled[0]}'")
        return self

    @property
    def text(self) -> str:
        """The resolved suite as YAML, without the keys that keep their default."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)

    @property
    def sha256(self) -> str:
        """Hash of what the suite means; what its bars ask changes no row."""
        data: dict[str, Any] = self.model_dump(mode="json", exclude={"bars", "title"})
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
