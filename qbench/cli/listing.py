"""`qbench list`: the parts that suites can name, each with one line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.told import json_option, wide_option

if TYPE_CHECKING:
    from qbench.registry import Registry

Rows = Iterator[tuple[str, str]]


def _models() -> Rows:
    from qbench.zoo import MODELS

    return ((name, MODELS.load(name).summary) for name in MODELS)


def _data() -> Rows:
    from qbench.zoo import DATASETS

    return ((name, _first_line(DATASETS.load(name)).removeprefix("Return ")) for name in DATASETS)


def _methods() -> Rows:
    from qbench.methods import METHODS

    return ((name, _first_line(METHODS.load(name))) for name in METHODS)


def _stages() -> Rows:
    from qbench.quantization import STAGES

    return ((name, f"{STAGES.load(name).place}: {_first_line(STAGES.load(name))}") for name in STAGES)


def _recipes() -> Rows:
    """Yield what stands in a recipe, in its order: stages before, methods, of rounding and after; then other tools."""
    from qbench.methods import METHODS
    from qbench.quantization import STAGES

    places = {name: STAGES.load(name).place for name in STAGES}
    for place in ("before", "codes", "rounding", "after"):
        table = METHODS if place == "codes" else STAGES
        for name in (name for name in table if places.get(name, "codes") == place):
            part = table.load(name)
            yield f"{place}: {name}", f"{_first_line(part)} Source: {source_of(part)}"
    yield from ((f"other tools: {word}", line) for word, line in _quantizers())


def _quantizers() -> Rows:
    """Yield a recipe for every algorithm of every other tool, with the packages that are there."""
    from qbench.peers.quantizers import QUANTIZERS

    for name, told in _libraries(QUANTIZERS):
        for place, (word, line) in enumerate(QUANTIZERS.part(name).algorithms.items()):
            yield f"{name}({word})" if place else name, f"{line[0].upper()}{line[1:]}. {told}"


def _kernels() -> Rows:
    from qbench.kernels import FAMILIES

    return ((name, ", ".join(FAMILIES.load(name).operations)) for name in FAMILIES)


def _tasks() -> Rows:
    from qbench.metrics import TASKS, load_task

    for name in TASKS:
        found = load_task(name)
        yield name, f"{found.doc} ({found.primary.name})"


def _metrics() -> Rows:
    from qbench.metrics import kinds

    for name, found in kinds().items():
        yield name, f"{found.doc}{f' ({found.unit})' if found.unit else ''}"


def _peers() -> Rows:
    from qbench.peers import PEERS

    return _libraries(PEERS)


def _operators() -> Rows:
    from qbench.peers.operators import OPERATORS

    return _libraries(OPERATORS)


def _libraries(table: Registry) -> Rows:
    """Yield each peer with its packages' versions; whether it can run here is asked where it is to run."""
    from qbench.peers.installed import installed

    for name in table:
        part = table.load(name)
        versions, missing = installed(part.distributions)
        held = ", ".join(f"{package} {version}" for package, version in versions.items())
        yield name, f"not installed: {', '.join(missing)}" if missing else f"{_first_line(part)} ({held})"


def _suites() -> Rows:
    from qbench.errors import SuiteError
    from qbench.suite import load_suite, packaged_suites

    known = packaged_suites()
    there = {path.resolve() for path in known.values()}
    here = [path for path in sorted(Path("suites").glob("*.yaml")) if path.resolve() not in there]
    for name, path in [*known.items(), *((str(path), path) for path in here)]:
        try:
            yield name, load_suite(path).title
        except SuiteError as error:
            yield name, f"cannot be read: {error}"


SECTIONS: dict[str, Callable[[], Rows]] = {
    "models": _models,
    "data": _data,
    "methods": _methods,
    "stages": _stages,
    "recipes": _recipes,
    "quantizers": _quantizers,
    "kernels": _kernels,
    "tasks": _tasks,
    "metrics": _metrics,
    "peers": _peers,
    "operators": _operators,
    "suites": _suites,
}


@click.command("list", epilog="Example: qbench list methods")
@click.argument("section", required=False, type=click.Choice(list(SECTIONS)))
@json_option
@wide_option
def list_parts(section: str | None, as_json: bool) -> int:
    """List what suites can name.

    SECTION is one kind of part; without it all are shown. Suites are the packaged ones, and those in the folder
    `suites` here.
    """
    from qbench.cli.terminal.style import make_console, print_fitting
    from qbench.cli.told import table_of, tell_json

    found = {name: list(SECTIONS[name]()) for name in (SECTIONS if section is None else (section,))}
    if as_json:
        facts: dict[str, Any] = {name: table_of(("name", "about"), rows) for name, rows in found.items()}
        return tell_json("list", **facts)
    console = make_console()
    for name, rows in found.items():
        print_fitting(console, rows, headings=(name, "about"), wrap=("about",))
    return 0


def source_of(part: Any) -> str:
    """Return where a part's definition comes from, as its module says behind `Source:`; "" where it does not."""
    module = inspect.getmodule(part if inspect.isclass(part) else type(part))
    found = re.search(r"Sources?:\s+(.+?)(?:\n\n|\Z)", inspect.getdoc(module) or "", re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _first_line(part: Any) -> str:
    """Return the first line of the documentation of a part, or of its class where it is an instance."""
    text = inspect.getdoc(part) or inspect.getdoc(type(part)) or ""
    return text.partition("\n")[0]
