"""One TrialResult <-> one line of `trials.jsonl`. A number that is not finite is written as null: JSON has no other."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from qbench.core.trial import TrialResult
from qbench.errors import ResultsError

_ROW = TypeAdapter(TrialResult)


def encode_row(result: TrialResult) -> str:
    """Return one line of JSON, without the line break; fields by their names in TrialResult."""
    fields = asdict(result)
    fields["metrics"] = {name: _finite(metric) for name, metric in fields["metrics"].items()}
    fields["layer_rows"] = [_finite(row) for row in fields["layer_rows"]]
    return json.dumps(fields, separators=(",", ":"), allow_nan=False, default=lambda value: value.item())


def decode_row(line: str | bytes, *, place: str) -> TrialResult:
    """Return the row of one line; raise ResultsError that names `place` when the line is damaged."""
    try:
        return _ROW.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultsError(f"{place}: damaged row{f' at {where!r}' if where else ''}: {first['msg']}") from error


def _finite(facts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in facts.items()
    }
