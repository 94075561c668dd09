"""A suite file, its base suites and the values of the command line -> one checked Suite."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from qbench.core.kinds import DEFAULT
from qbench.errors import QBenchError, SuiteError, suggest
from qbench.suite.base import AnySuite
from qbench.suite.kind import suite_kind
from qbench.suite.packaged import find_suite
from qbench.suite.reader import Data, Document, KeyPath, key_text, parse_scalar, read_document

Model = TypeVar("Model", bound=BaseModel)

FORMER = "cuda"
"""A kind of suite until devices were a key of every suite."""

_EXPECTED = {
    "missing": "this key must be given",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "model_type": "expected a mapping of keys",
    "model_attributes_type": "expected a mapping of keys",
}


def load_suite(path: Path, *, overrides: Sequence[str] = ()) -> AnySuite:
    """Read, merge and check the suite at `path`.

    Args:
        path: a YAML file, or the name of a packaged suite; its `kind` says which keys it may have, and
            `base: other.yaml` in it names a suite beside it whose keys it changes.
        overrides: `key=value` strings, e.g. `timing.precision=0.05`; the value is read as YAML. A part of the key may
            be an index of a list, or the name of a sweep.

    Raises:
        SuiteError: anything is unknown, missing, doubled or of the wrong type: one line with file, line and key.
    """
    path = find_suite(path)
    document = _with_base(path, seen=())
    for text in overrides:
        _override(document, text)
    suite: AnySuite = _checked(document, _schema(document))
    suite._folder = path.parent
    return suite


def _schema(document: Document) -> type[AnySuite]:
    """Return what a suite of the document's kind may say; raise SuiteError for a kind that there is not."""
    place, kind = document.place(("kind",)), document.data.get("kind", DEFAULT)
    if kind == FORMER:
        raise SuiteError(
            f"{place}: kind: '{FORMER}' is a device now: write 'device: {FORMER}' in a suite of 'kind: kernels', and "
            "its networks in one of networks"
        )
    try:
        return suite_kind(str(kind)).schema
    except QBenchError as error:
        raise SuiteError(f"{place}: {error}") from error


def _checked(document: Document, model: type[Model]) -> Model:
    """Return a document as a suite of the kind `model`; raise SuiteError that names file, line and key."""
    try:
        return model.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise SuiteError(_message(error.errors(), document, model)) from error


def _with_base(path: Path, *, seen: tuple[Path, ...]) -> Document:
    document = read_document(path)
    if "base" not in document.data:
        return document
    place, word = document.place(("base",)), document.data.pop("base")
    if not isinstance(word, str):
        raise SuiteError(f"{place}: 'base' expected the path of a suite, got {word!r}")
    chain = (*seen, path.resolve())
    parent = path.parent / word
    if Path(os.path.realpath(parent)) in chain:
        raise SuiteError(f"{place}: 'base' leads back to {word}")
    if not os.path.isfile(parent):  # a path that no system takes is no file either
        raise SuiteError(f"{place}: 'base' names {parent}, which does not exist")
    base = _with_base(parent, seen=chain)
    places = dict(base.places) | {(): document.places[()]}
    merged = _merged(base.data, document, (), places)
    return Document(merged, places)


def _merged(base: dict[str, Data], over: Document, path: KeyPath, places: dict[KeyPath, str]) -> dict[str, Data]:
    """Lay mappings over mappings; anything else, lists too, is replaced whole."""
    node: Any = over.data
    for part in path:
        node = node[part]
    result = dict(base)
    for key, value in node.items():
        child = (*path, key)
        under = base.get(key)
        if isinstance(value, dict) and isinstance(under, dict):
            result[key] = _merged(under, over, child, places)
            continue
        result[key] = value
        for stale in [place for place in places if place[: len(child)] == child]:
            del places[stale]
        places.update({place: text for place, text in over.places.items() if place[: len(child)] == child})
    return result


def _override(document: Document, text: str) -> None:
    """Set one dotted key of `document` from a `key=value` string."""
    key, equals, value = text.partition("=")
    source = f"--set {text}"
    if not equals or not key.strip():
        raise SuiteError(f"{source}: expected key=value, as in timing.precision=0.05")
    node: Any = document.data
    path: KeyPath = ()
    *parents, last = key.strip().split(".")
    for part in parents:
        step = _step(node, part, source)
        if isinstance(node, dict) and step not in node:
            node[step] = {}
        node, path = node[step], (*path, step)
    step = _step(node, last, source)
    node[step] = parse_scalar(value, source=source)
    document.places[(*path, step)] = source


def _step(node: Any, part: str, source: str) -> str | int:
    """Return the key or the index that `part` means in `node`; an item of a list may be named by its `name`."""
    if isinstance(node, dict):
        return part
    if not isinstance(node, list):
        raise SuiteError(f"{source}: '{part}' lies inside {node!r}, which holds no keys")
    if part.isdigit() and int(part) < len(node):
        return int(part)
    names = [item.get("name") if isinstance(item, dict) else None for item in node]
    if part in names:
        return names.index(part)
    known = [str(name) for name in names if name]
    hint = suggest(part, known) if known else ""
    raise SuiteError(f"{source}: no item '{part}' in a list of {len(node)}{hint}")


def _message(errors: list[ErrorDetails], document: Document, model: type[BaseModel]) -> str:
    """Return one line for the first error, with its place, and how many there are beside it."""
    first = errors[0]
    path = tuple(first["loc"])
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    key = f" '{key_text(path)}'" if path else ""
    if first["type"] == "extra_forbidden":
        text = f"unknown key{key}{suggest(str(path[-1]), _keys_at(path[:-1], model))}"
    elif first["type"] == "missing":
        text = f"key{key} is missing"
    elif first["type"] == "value_error":
        text = f"{key.strip()}: {first['ctx']['error']}" if path else str(first["ctx"]["error"])
    else:
        expected = _EXPECTED.get(first["type"], first["msg"][0].lower() + first["msg"][1:])
        text = f"{key.strip()}: {expected}, got {json.dumps(first['input'], default=str)}"
    return f"{document.place(path)}: {text}{more}"


def _keys_at(path: KeyPath, whole: type[BaseModel]) -> list[str]:
    """Return the keys that the mapping at `path` of a suite of the kind `whole` may hold."""
    model = whole
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = _models_in(model.model_fields[part].annotation) or model
    return list(model.model_fields) + (["base"] if model is whole else [])


def _models_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _models_in(part))), None)
