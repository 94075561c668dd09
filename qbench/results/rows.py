"""One row <-> one line of `trials.jsonl`. A number that is not finite is written as null: JSON has no other."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from qbench.core.cells.result import KernelResult
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError

Row = TypeVar("Row")

_ROW = TypeAdapter(TrialResult)
_KERNEL_ROW = TypeAdapter(KernelResult)


def encode_row(result: TrialResult | KernelResult) -> str:
    """Return one line of JSON, without the line break; fields by their names in the row's class."""
    fields = asdict(result)
    if isinstance(result, TrialResult):
        fields["metrics"] = {name: _finite(metric) for name, metric in fields["metrics"].items()}
        fields["layer_rows"] = [_finite(row) for row in fields["layer_rows"]]
    return json.dumps(fields, separators=(",", ":"), allow_nan=False, default=lambda value: value.item())


def decode_row(line: str | bytes, *, place: str) -> TrialResult:
    """Return the row of one line; raise ResultsError that names `place` when the line is damaged."""
    return _decoded(line, _ROW, place=place)


def decode_kernel_row(line: str | bytes, *, place: str) -> KernelResult:
    """Return the row of one line of a run of kernels; raise ResultsError as `decode_row`."""
    return _decoded(line, _KERNEL_ROW, place=place)


def _decoded(line: str | bytes, adapter: TypeAdapter[Row], *, place: str) -> Row:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{place}: damaged row{f' at {where!r}' if where else ''}: {first['msg']}") from error


def _finite(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in facts.items()
    }
