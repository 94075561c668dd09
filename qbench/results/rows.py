"""One row <-> one line of `trials.jsonl`. A number that is not finite is written as null: JSON has no other."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qbench.core.cells.result import KernelResult
from qbench.core.trial import TrialResult
from qbench.errors import ResultsError
from qbench.results.kind import row_kind


def encode_row(result: TrialResult | KernelResult) -> str:
    """Return one line of JSON, without the line break; fields by their names in the row's class."""
    fields = asdict(result)
    for measurement in fields["measurements"]:
        if not measurement["processes"]:
            del measurement["processes"]
    if isinstance(result, TrialResult):
        fields["metrics"] = {name: _finite(metric) for name, metric in fields["metrics"].items()}
        for name in ("scores", "observed", "split_s"):  # rows that have none look as they always did
            if not fields[name]:
                del fields[name]
        fields["layer_rows"] = [_finite(row) for row in fields["layer_rows"]]
    return json.dumps(fields, separators=(",", ":"), allow_nan=False, default=lambda value: value.item())


def decode_row(line: str | bytes, kind: str, *, place: str) -> Any:
    """Return the row of one line of a run of a kind; raise ResultsError that names `place` when it is damaged."""
    try:
        return _adapter(kind).validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{place}: damaged row{f' at {where!r}' if where else ''}: {first['msg']}") from error


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(row_kind(kind).row)


def _finite(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in facts.items()
    }
