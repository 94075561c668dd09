"""What a suite may say: the typed, frozen form of the YAML file. Every key's meaning stands here, once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from qbench.core.recipe import KEEP
from qbench.core.rules import Rule
from qbench.core.trial import WINNERS
from qbench.errors import SuiteError
from qbench.graph.readers import READERS
from qbench.suite.axes import (
    AccumulatorWord,
    Backend,
    Bits,
    Correction,
    Edges,
    GranularityName,
    ListOf,
    Measure,
    Method,
    PlainName,
    RecipeText,
    ScopeName,
    Seed,
    Source,
    Spec,
    TaskName,
    Word,
    network_peers,
    strangers,
)
from qbench.suite.base import AnySuite, Strict, doubled
from qbench.suite.expect import Expectation, Target
from qbench.suite.filter import parse_filter
from qbench.suite.own_images import Described
from qbench.suite.timing import LATER_OF_TIMING, Timing, check_measures
from qbench.zoo import DATASETS, suited_data
from qbench.zoo.preprocessing import WORDS
from qbench.zoo.seeded import is_seeded


class Calibration(Strict):
    """Which images the ranges of activations are chosen on."""

    samples: Annotated[int, Field(ge=1)] = 512
    """Number of calibration images; they are never among the evaluation images."""
    seed: Seed = 0
    """Draw of the calibration images, and of every other random choice."""
    source: Source = ""
    """Where they come from: `data`, `noise`, `batch-norm` (learned of the network's batch norms), or `none`."""


class Cell(Strict):
    """Values of axes: cells to add (`include`), or to leave out (`exclude`, where every named axis must match)."""

    scope: ListOf[ScopeName] | None = None
    """What is quantized: `weights`, `activations` or `full` (both)."""
    bits: ListOf[Bits] | None = None
    """Width of what the scope quantizes; with the scope `full`, of both."""
    activation_bits: ListOf[Bits] | None = None
    """Width of the activations where it differs from `bits`; only with the scope `full`."""
    granularity: ListOf[GranularityName] | None = None
    """Which weights share a scale: `tensor`, `channel`, or `groupN` with N a multiple of 16."""
    spec: ListOf[Spec] | None = None
    """Tokens such as `w4g32-a8t`, instead of scope, bits and granularity."""
    edges: ListOf[Edges] | None = None
    """Token of the first and last layer; `same` (the default) gives them no exception."""
    recipe: ListOf[RecipeText] | None = None
    """The stages that make the network, e.g. `mse`, `cle/mse+gptq/bias`; `keep` takes a quantized file as it is."""
    method: ListOf[Method] | None = None
    """How ranges and codes are chosen: a recipe of one stage; with `correction` behind it where that is given."""
    correction: ListOf[Correction] | None = None
    """What is corrected after rounding weights: `none`, `variance` of each slice, `bias` of each channel, or `both`."""
    seed: ListOf[Seed] | None = None
    """Draws; the default is `calibration.seed`."""
    samples: ListOf[Annotated[int, Field(ge=1)]] | None = None
    """Numbers of calibration samples; the default is `calibration.samples`."""
    source: ListOf[Source] | None = None
    """Where calibration samples come from; the default is `calibration.source`."""
    variant: ListOf[Word] | None = None
    """Kernel variants to pin; the default `auto` takes the best on this machine."""
    accumulator: ListOf[AccumulatorWord] | None = None
    """Bits of the sums where narrower ones than 32 are simulated: `16-wrap`, `16-saturate`, `16` for both; `""` not."""
    backend: ListOf[Backend] | None = None
    """Who runs the network: `qbench` (the default) or a peer (`qbench list peers`)."""

    @property
    def names_a_width(self) -> bool:
        """Whether `bits` or `spec` is given."""
        return bool(self.bits or self.spec)

    def check_complete(self) -> None:
        """Raise ValueError unless recipe and width are given, each only once; `keep` needs no width."""
        if not self.method and not self.recipe:
            raise ValueError("expected the key 'recipe' or 'method', in the sweep or in each cell of 'include'")
        for other in ("method", "correction"):
            if self.recipe and getattr(self, other):
                raise ValueError(f"'recipe' already says what '{other}' would; write one of the two")
        if not self.names_a_width and set(self.recipe or ()) != {KEEP}:
            raise ValueError("expected the key 'bits' or 'spec', in the sweep or in each cell of 'include'")
        twice = [axis for axis in _WIDTH if getattr(self, axis)]
        if self.spec and twice:
            raise ValueError(f"'spec' already says what '{twice[0]}' would; write one of the two")

    def overlaid(self, other: Cell) -> Cell:
        """Return this cell with the axes that `other` names in place of its own.

        `spec` displaces widths, and back; so does `recipe` with `method` and `correction`.
        """
        named = {axis: value for axis, value in other if value is not None}
        kept = {axis: value for axis, value in self if value is not None}
        displaced: tuple[str, ...] = _WIDTH if "spec" in named else ("spec",) if named.keys() & set(_WIDTH) else ()
        displaced += _RECIPE if "recipe" in named else ("recipe",) if named.keys() & set(_RECIPE) else ()
        return Cell(**{axis: value for axis, value in (kept | named).items() if axis in named or axis not in displaced})


_WIDTH = ("scope", "bits", "activation_bits", "granularity")
_RECIPE = ("method", "correction")


TAKEN = {"baseline": "the fp32 row", WINNERS: "the rows that 'timing.winners' times"}
"""Names that no sweep may have, and whose they are."""


class SweepHead(Strict):
    """The keys of a sweep that are not axes; apart from them, so that they come first when a suite is written out."""

    name: PlainName
    """Name of the sweep; the first part of its trials' keys."""
    measure: ListOf[Measure] = ("accuracy",)
    """`accuracy`, `speed` (the network's throughput), `layers` (a table of times per layer), `latency` (p50, p90, p99),
    `scenario` (MLPerf's four), `memory` (of a fresh process, and its start), `energy` (where there is a sensor)."""
    layers: ListOf[Word] = ("all",)
    """`all`; `each` for one trial per layer; or names and globs, one trial for each layer that matches."""
    overrides: dict[Word, Spec] = Field(default={})
    """Specs of single layers, by name, glob or type (`conv`, `depthwise`, `linear`, `first`, `last`); `layers: all`."""


class Sweep(Cell, SweepHead):
    """A product of axes, plus the cells of `include`, minus those of `exclude`."""

    include: tuple[Cell, ...] = ()
    """Added cells; an axis that a cell leaves out takes the sweep's values."""
    exclude: tuple[Cell, ...] = ()
    """Cells to leave out, of the product and of `include`."""

    @model_validator(mode="after")
    def _check(self) -> Sweep:
        if self.name in TAKEN:
            raise ValueError(f"the name '{self.name}' is taken by {TAKEN[self.name]}")
        for cell in self.cells():
            cell.check_complete()
        if self.overrides and self.layers != ("all",):
            raise ValueError("'overrides' goes with 'layers: all', not with single layers")
        return self

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The overrides as rules."""
        return tuple(Rule(pattern, spec) for pattern, spec in self.overrides.items())

    def cells(self) -> tuple[Cell, ...]:
        """Return the products to expand: the sweep's own, when it names a width, then one for each `include`."""
        own = Cell(**{axis: getattr(self, axis) for axis in Cell.model_fields})
        added = tuple(own.overlaid(cell) for cell in self.include)
        return (own, *added) if own.names_a_width or own.recipe == (KEEP,) or not added else added


class NetworkChoice(Described):
    """A network of a suite of several, and the data that suits it."""

    model: Word
    """A packaged network (`qbench list models`), or the path of an ONNX file beside the suite file."""
    data: str = ""
    """Data as for a suite of one network; left out, those that suit a packaged network."""
    batch_sizes: ListOf[Annotated[int, Field(ge=1)]] | None = None
    """Images per call where this network is timed at others than the suite's."""


class Suite(Described, AnySuite):
    """A whole suite of networks."""

    kind: Literal["network"] = "network"
    """`network` (the default): whole networks, not single operations."""
    model: str = ""
    """A packaged network (`qbench list models`), or the path of an ONNX file beside the suite file."""
    data: str = ""
    """Data (`qbench list data`), or the path of an .npz file or of a folder beside the suite file."""
    networks: tuple[NetworkChoice, ...] = ()
    """Several networks, each with its data, instead of `model` and `data`: one run each, of the same sweeps."""
    data_limit: Annotated[int, Field(ge=1)] | None = None
    """Evaluate on the first so many images only."""
    calibration: Calibration = Calibration()
    threads: Annotated[int, Field(ge=1)] = 2
    """Threads of every network that is run."""
    task: TaskName = ""
    """How answers are scored (`qbench list tasks`); by default `top1` where there are labels, else `fidelity`."""
    target: Target = Target()
    timing: Timing = Timing()
    filter: str | None = None
    """Keep only trials for which this holds, e.g. `bits <= 4 and method == mse`; `--filter` sets it."""
    expect: tuple[Expectation, ...] = ()
    """What rows must show; `qbench run`, `check` and `compare --fail-on` object where they do not."""
    sweeps: Annotated[tuple[Sweep, ...], Field(min_length=1)]
    """What is tried."""

    MEANINGLESS: ClassVar[frozenset[str]] = frozenset({"kind", "expect"})
    LATER: ClassVar[frozenset[str]] = frozenset(
        {*WORDS, *LATER_OF_TIMING, "shapes", "bind", "winners", "accumulator", "samples", "source"}
    )

    @field_validator("filter")
    @classmethod
    def _check_filter(cls, text: str | None) -> str | None:
        try:
            return None if text is None else parse_filter(text).text
        except SuiteError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _check(self) -> Suite:
        if twice := doubled([sweep.name for sweep in self.sweeps]):
            raise ValueError(f"two sweeps are named '{twice}'")
        if self.task and self.target.metric and self.task != self.target.metric:
            raise ValueError(f"'task' is {self.task} and 'target.metric' {self.target.metric}: expected one of the two")
        strangers(self.timing.references, network_peers(self.device), self.device)
        check_measures(self.sweeps, self.timing, self.device)
        for sweep in self.sweeps if self.device != "cpu" else ():
            if any(set(cell.backend or ()) - {"qbench"} for cell in sweep.cells()):
                raise ValueError(f"sweep '{sweep.name}': 'backend' goes with the device 'cpu'")
        missing = [key for key in ("model", "data") if bool(getattr(self, key)) == bool(self.networks)]
        if missing:
            raise ValueError(f"expected the keys 'model' and 'data', or only 'networks'; see '{missing[0]}'")
        return self

    @property
    def task_name(self) -> str:
        """The task that the suite names, "" where the data choose it."""
        return self.task or self.target.metric

    def each(self) -> tuple[Suite, ...]:
        """Return a suite for each of several networks, named after both; the suite itself where it names one."""
        return tuple(
            self.model_copy(
                update={
                    "name": f"{self.name}-{Path(choice.model).stem}",
                    "title": f"{self.title}: {choice.model}" if self.title else "",
                    "model": choice.model,
                    "data": choice.data or suited_data(choice.model),
                    "shapes": choice.shapes,
                    "bind": choice.bind,
                    **{word: getattr(choice, word) for word in WORDS if getattr(choice, word) is not None},
                    "networks": (),
                    "timing": self.timing.model_copy(
                        update={} if choice.batch_sizes is None else {"batch_sizes": choice.batch_sizes}
                    ),
                }
            )
            for choice in self.networks
        ) or (self,)

    def model_source(self) -> str:
        """Return what names the network: a packaged name as written, or the path of a file."""
        return self._beside(self.model, *READERS)

    def data_source(self) -> str:
        """Return what names the data: a known name as written, or the path of a file or of a folder."""
        known = self.data in DATASETS or is_seeded(self.data)
        named = known or ("/" not in self.data and not os.path.isdir(self._folder / self.data))
        return self._beside(self.data, ".npz" if named else "")

    def _beside(self, word: str, *suffixes: str) -> str:
        """Return a path as seen from here, without the way there and back: `res/mine/../../images` is `images`."""
        if not word.lower().endswith(suffixes):
            return word
        joined = str(self._folder / word)
        short = os.path.normpath(joined)
        there = os.path.exists(joined)  # a link among the folders may lead `..` elsewhere
        return short if not there or (os.path.exists(short) and os.path.samefile(short, joined)) else joined
