"""What a suite of kernels may say (`kind: kernels`): shapes, specs, batches, threads, other libraries, and bars."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from qbench.core.cells.product import OutputKind
from qbench.errors import QBenchError, SuiteError
from qbench.suite.axes import (
    Against,
    ListOf,
    OperatorName,
    OwnSpec,
    PlainName,
    Spec,
    Variant,
    Word,
    operator_peers,
    strangers,
)
from qbench.suite.base import AnySuite, Strict, doubled
from qbench.suite.kernels.filter import parse_kernel_filter
from qbench.suite.kernels.shapes import parse_shape, table


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


Shapes = Annotated[Word, BeforeValidator(_shape)]
Positive = Annotated[int, Field(ge=1)]


class KernelTiming(Strict):
    """How cells are timed."""

    precision: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """Stop when the relative half width of the median's 95 % interval is below this, for every party."""
    seconds_a_cell: Annotated[float, Field(gt=0)] = 1.0
    """Stop at the latest after this many seconds per party."""
    processes: Annotated[int, Field(ge=2)] | None = None
    """Time over so many fresh processes of every party, at least; intervals are then those of processes."""
    seconds: Annotated[float, Field(gt=0)] | None = None
    """Begin no more processes of a row that would end after so many seconds; 120 where it is left out."""


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


class KernelSuite(AnySuite):
    """A whole suite of kernels."""

    kind: Literal["kernels"]
    """`kernels`: single operations, not networks."""
    threads: ListOf[Positive] = (1, 2)
    """Threads of every cell, unless its sweep says otherwise; a device has none."""
    timing: KernelTiming = KernelTiming()
    peers: tuple[OperatorName, ...] = ()
    """Other libraries that take turns with qbench (`qbench list operators`); a row says which had no kernel for it."""
    verify: bool = True
    """With `device: cuda`: whether every kernel is checked on odd sizes and extreme values before anything is timed."""
    filter: str | None = None
    """Keep only rows for which this holds, e.g. `kind == depthwise and threads == 1`; `--filter` sets it."""
    sweeps: Annotated[tuple[KernelSweep, ...], Field(min_length=1)]
    """What is timed."""
    bars: tuple[Bar, ...] = ()
    """What the rows have to show."""

    MEANINGLESS: ClassVar[frozenset[str]] = frozenset({"bars", "title", "verify"})
    LATER: ClassVar[frozenset[str]] = frozenset({"processes", "seconds"})

    @field_validator("filter")
    @classmethod
    def _check_filter(cls, text: str | None) -> str | None:
        try:
            return None if text is None else parse_kernel_filter(text).text
        except SuiteError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _check(self) -> KernelSuite:
        if self.timing.processes and self.device != "cpu":
            raise ValueError(f"'timing.processes' goes with the device 'cpu', got it with '{self.device}'")
        if twice := doubled([sweep.name for sweep in self.sweeps]):
            raise ValueError(f"two sweeps are named '{twice}'")
        for peers in (self.peers, *(sweep.peers or () for sweep in self.sweeps)):
            strangers(peers, operator_peers(self.device), self.device)
        on_cpu = self.device == "cpu"
        if not on_cpu and any("threads" in one.model_fields_set for one in (self, *self.sweeps)):
            raise ValueError(f"'threads' goes with the device 'cpu', got it with '{self.device}'")
        if on_cpu and "verify" in self.model_fields_set:
            raise ValueError("'verify' goes with 'device: cuda'; `qbench verify` checks the kernels of the CPU")
        return self

    def threads_of(self, sweep: KernelSweep) -> tuple[int, ...]:
        """Return the threads of a sweep's cells; on a device there is but one queue of work."""
        return (1,) if self.device != "cpu" else sweep.threads or self.threads
