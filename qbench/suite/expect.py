"""What a suite may expect of its rows: bounds on columns, shares of fp32's score, orders between rows."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from qbench.core.alike import FIELDS
from qbench.core.spec import parse_spec
from qbench.errors import QBenchError, suggest
from qbench.suite.axes import TaskName
from qbench.suite.base import Strict
from qbench.suite.filter import parse_filter

Judge = Literal["interval", "value"]
_LINK = re.compile(r"\s+(<=?)\s+")
_BLANKS = {"batch": "[0-9]+", "percent": "[0-9]+", "reference": "[a-z0-9-]+", "scenario": "[a-z]+"}


class Target(Strict):
    """What counts as kept, as a test of non-inferiority against fp32."""

    metric: TaskName = ""
    """The task whose score must be kept (`qbench list tasks`); the same as `task`, and either key names it."""
    keep: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Share of the fp32 score that must be kept."""


class Expectation(Strict):
    """One thing that rows must show: a bound on a column, a share of fp32's score to keep, or an order of rows."""

    name: str = ""
    """What it is about, for people."""
    where: str | None = None
    """Which rows, as `filter` has it; all but the fp32 row where it is left out."""
    column: str = ""
    """A number of the table (`table.csv`), e.g. `top1_drop_points`, `packed_bytes`, `speedup_onnxruntime-fp32_b256`."""
    least: float | None = None
    """The column's value must be at least this."""
    most: float | None = None
    """The column's value must be at most this."""
    keep: Annotated[float, Field(gt=0, le=1)] | None = None
    """Every row must be shown to keep this share of fp32's score."""
    order: str = ""
    """Values from worst to best, e.g. `minmax <= mse < mse/both`: `<` wants a paired test to show that the right one is
    better, `<=` that it does not show the left one to be. With `column`: from the least number to the most."""
    by: str = "recipe"
    """The field that the values of `order` are of; rows that differ in it alone are compared."""
    judge: Judge = "interval"
    """`interval`: a bound holds when the whole 95 % interval does; `value`: when the value does, on these samples."""

    @field_validator("where")
    @classmethod
    def _check_where(cls, text: str | None) -> str | None:
        try:
            return None if text is None else parse_filter(text).text
        except QBenchError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _check(self) -> Expectation:
        bounded = self.least is not None or self.most is not None
        asked = {"'least' or 'most'": bounded, "'keep'": self.keep is not None, "'order'": bool(self.order)}
        ways = [words for words, there in asked.items() if there]
        if len(ways) != 1:
            raise ValueError(f"expected one of {', '.join(asked)}, got {' and '.join(ways) or 'none'}")
        if bounded and not self.column:
            raise ValueError("'least' and 'most' are about a column: expected the key 'column'")
        if self.keep is not None and self.column:
            raise ValueError("'keep' is about the task's score: expected no 'column' beside it")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"'least' is {self.least:g} and 'most' {self.most:g}: no number is both")
        if self.by not in FIELDS:
            raise ValueError(f"'by' names no field of a row: '{self.by}'{suggest(self.by, FIELDS)}")
        if self.order and not self.links:
            raise ValueError(f"'order' expected values with ' < ' or ' <= ' between them, got '{self.order}'")
        return self

    @field_validator("column")
    @classmethod
    def _check_column(cls, name: str) -> str:
        if name and not is_number_column(name):
            raise ValueError(f"no column '{name}' of numbers{suggest(name, _plain_columns())}")
        return name

    @property
    def links(self) -> tuple[tuple[str, str, bool], ...]:
        """The neighbours of `order`: the worse value, the better one, and whether that must be shown."""
        words = _LINK.split(self.order.strip())
        values = [_canonical(self.by, word) for word in words[::2]]
        signs = words[1::2]
        return tuple((*pair, sign == "<") for pair, sign in zip(pairwise(values), signs, strict=True))


def is_number_column(name: str) -> bool:
    """Return whether tables of runs of networks may have a column of numbers of this name."""
    return name in _plain_columns() or any(form.fullmatch(name) for form in _forms())


@cache
def _forms() -> tuple[re.Pattern[str], ...]:
    """Return what columns of times may be called: `images_per_s_b<batch>`, with a peer's name where it has one."""
    from qbench.results.columns import COUNTED, LOADED, TIMED

    found = []
    for column in (*TIMED, *LOADED, *COUNTED):
        pattern = re.sub("<([a-z]+)>", lambda blank: _BLANKS.get(blank[1], "[a-z0-9]+"), column.name)
        found.append(re.compile(re.sub("_b\\[", "(_[a-z0-9-]+)?_b[", pattern) + "(_[a-z0-9-]+)?"))
    return tuple(found)


def _plain_columns() -> list[str]:
    """Return the columns that hold scores and sizes; those of times hold a batch size and a peer's name."""
    from qbench.metrics import kinds

    return [name for name, kind in kinds().items() if kind.stage not in ("time", "ratio")]


def _canonical(by: str, word: str) -> str:
    """Return a value of a field as rows have it; raise ValueError for a recipe or a spec that there is not."""
    try:
        if by == "recipe":
            from qbench.quantization import parse_recipe

            return parse_recipe(word).text
        return parse_spec(word).token if by in ("spec", "edges") and word else word
    except QBenchError as error:
        raise ValueError(str(error)) from error
