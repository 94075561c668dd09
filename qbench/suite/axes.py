"""The words that axes of a sweep may hold: checked, in their canonical form, one value or a list of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from qbench.core.accumulator import parse_accumulators
from qbench.core.calibration import SOURCES, parse_source
from qbench.core.cells.algorithm import split_algorithm
from qbench.core.granularity import parse_granularity
from qbench.core.spec import parse_spec
from qbench.errors import QBenchError, suggest

T = TypeVar("T")

DeviceName = Literal["cpu", "cuda"]


class _OneOrMore:
    """Lets `bits: 8` stand for `bits: [8]`, in the reader and in the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def listed(value: Any) -> Any:
            return tuple(value) if isinstance(value, list | tuple) else (value,)

        return core_schema.no_info_before_validator_function(listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        array = handler(schema)
        return {"anyOf": [array["items"], array]}


ListOf = Annotated[tuple[T, ...], Field(min_length=1), _OneOrMore()]


def _checked(check: Callable[[str], str]) -> BeforeValidator:
    """Run `check` on strings; pydantic gives its message the key's place."""

    def run(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return check(value)
        except QBenchError as error:
            raise ValueError(str(error)) from error

    return BeforeValidator(run)


def _granularity(text: str) -> str:
    token = parse_granularity(text).token
    return {"t": "tensor", "c": "channel"}.get(token, token.replace("g", "group"))


def _method(name: str) -> str:
    from qbench.methods import METHODS

    if name != "none" and name not in METHODS:
        raise QBenchError(f"unknown method '{name}'{suggest(name, METHODS)}")
    return name


def _task(name: str) -> str:
    from qbench.metrics import TASKS

    if name and name not in TASKS:
        raise QBenchError(f"unknown task '{name}'{suggest(name, TASKS)}")
    return name


def _peer(name: str) -> str:
    known = [peer for device in get_args(DeviceName) for peer in network_peers(device)]
    if name != "qbench" and name not in known:
        raise QBenchError(f"unknown peer '{name}'{suggest(name, known)}")
    return name


def _sizes(value: Any) -> Any:
    from qbench.graph.readers import parse_shape

    try:
        return "x".join(map(str, parse_shape(str(value))))
    except QBenchError as error:
        raise ValueError(str(error)) from error


def _operator(name: str) -> str:
    known = [peer for device in get_args(DeviceName) for peer in operator_peers(device)]
    if name not in known:
        raise QBenchError(f"unknown peer '{name}'{suggest(name, known)}")
    return name


def network_peers(device: DeviceName) -> Mapping[str, str]:
    """Return the table of peers that run whole networks on a device."""
    from qbench.peers import PEERS
    from qbench.peers.cuda import CUDA_NETWORKS

    return {"cpu": PEERS, "cuda": CUDA_NETWORKS}[device]


def operator_peers(device: DeviceName) -> Mapping[str, str]:
    """Return the table of peers that run single operations on a device."""
    from qbench.peers.cuda import CUDA_OPERATORS
    from qbench.peers.operators import OPERATORS

    return {"cpu": OPERATORS, "cuda": CUDA_OPERATORS}[device]


def strangers(names: Iterable[str], known: Mapping[str, str], device: DeviceName) -> None:
    """Raise ValueError for the first name of a peer that does not run on a device."""
    for name in names:
        if name not in known:
            raise ValueError(f"peer '{name}' does not run on the device '{device}'; expected {', '.join(known)}")


def _reference(name: str) -> str:
    if name == "qbench":
        raise QBenchError("qbench is always timed; expected the name of a peer, such as onnxruntime-fp32")
    return _peer(name)


def _edges(text: str) -> str:
    return "" if text in ("", "same") else parse_spec(text).token


def _variant(text: str) -> str:
    split_algorithm(text)
    return text


def _own_spec(text: str) -> str:
    spec, algorithm = split_algorithm(text)
    return parse_spec(spec).token + ("" if algorithm == "auto" else f"+{algorithm}")


def _against(text: str) -> str:
    known = (*AGAINST, *(peer for device in get_args(DeviceName) for peer in operator_peers(device)))
    if text in known:
        return text
    try:
        return _own_spec(text)
    except QBenchError as error:
        words = ", ".join(AGAINST)
        raise QBenchError(f"expected {words}, a peer or a spec, got '{text}'{suggest(text, known)}") from error


def _recipe(text: str) -> str:
    from qbench.quantization import parse_recipe

    return parse_recipe(text).text


def _accumulator(text: str) -> str:
    if text:
        parse_accumulators(text)
    return text


def _correction(text: str) -> str:
    return "" if text == "none" else text


AGAINST = ("peers", "ceiling", "bandwidth")
"""What a bar may be about, beside peers and specs of qbench's own."""
Word = Annotated[str, Field(min_length=1)]
PlainName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
Bits = Annotated[int, Field(ge=1, le=8)]
Seed = Annotated[int, Field(ge=0)]
Sizes = Annotated[str, BeforeValidator(_sizes), WithJsonSchema({"type": ["string", "integer"]})]
Shapes = dict[Word, Sizes]
ScopeName = Literal["weights", "activations", "full"]
Measure = Literal["accuracy", "speed", "layers", "latency", "scenario", "memory", "energy"]
CLOCKED: tuple[Measure, ...] = ("speed", "layers", "latency", "scenario", "memory", "energy")
"""What is measured with the machine alone."""
Spec = Annotated[Word, _checked(lambda text: parse_spec(text).token)]
OwnSpec = Annotated[Word, _checked(_own_spec)]
Against = Annotated[Word, _checked(_against)]
Variant = Annotated[Word, _checked(_variant)]
Edges = Annotated[str, _checked(_edges)]
Correction = Annotated[Literal["", "bias", "variance", "both"], _checked(_correction)]
AccumulatorWord = Annotated[
    str, _checked(_accumulator), BeforeValidator(str), WithJsonSchema({"type": ["string", "integer"]})
]
Source = Annotated[str, _checked(parse_source), WithJsonSchema({"type": "string", "enum": [*SOURCES]})]
GranularityName = Annotated[Word, _checked(_granularity)]
Method = Annotated[Word, _checked(_method)]
RecipeText = Annotated[Word, _checked(_recipe)]
TaskName = Annotated[str, _checked(_task)]
Backend = Annotated[Word, _checked(_peer)]
Reference = Annotated[Word, _checked(_reference)]
OperatorName = Annotated[Word, _checked(_operator)]
