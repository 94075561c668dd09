"""The suite schemas as JSON Schema, for completion and checks in editors: `suites/*.schema.json`."""

from __future__ import annotations

import json

from qbench.core.kinds import DEFAULT
from qbench.suite.kind import suite_kind

_HEAD = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "qbench suite"}


def suite_json_schema(kind: str = DEFAULT) -> str:
    """Return the JSON Schema of a suite file of a kind as text, with the key `base` that the loader resolves."""
    schema = suite_kind(kind).schema.model_json_schema(mode="validation")
    schema["properties"]["base"] = {"type": "string", "description": "A suite beside this one whose keys it changes."}
    # A suite with a base may leave out anything, and the loader says what is missing after merging.
    required = schema.pop("required")
    schema["anyOf"] = [{"required": ["base"]}, {"required": required}]
    return json.dumps(_HEAD | {key: value for key, value in schema.items() if key != "title"}, indent=2) + "\n"
