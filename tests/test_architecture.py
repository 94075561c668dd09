"""The drawing of docs/architecture.md, checked: what may import what, and what only one room may do."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qbench.core.kinds import KINDS

PACKAGE = Path(__file__).parents[1] / "qbench"

FLOORS = {
    "core": 0,
    "errors": 0,
    "registry": 0,
    "kernels": 1,
    "graph": 1,
    "zoo": 2,
    "engine": 2,
    "methods": 2,
    "metrics": 2,
    "peers": 2,
    "quantization": 3,
    "results": 3,
    "suite": 4,
    "runner": 5,
    "report": 5,
    "cli": 6,
    "python": 6,
}
"""Room -> floor. A room imports from lower floors only; the ground floor's parts may use each other."""

DOOR = "__main__"
"""What `python -m qbench` runs: no room, it may enter any."""

ONLY_IN = {"numba": "kernels", "llvmlite": "kernels", "matplotlib": "report", "yaml": "suite", "onnx": "graph"}
"""Library -> the one room that imports it."""

ALLOWED = {("zoo/recipes", "onnx"), ("engine/backend", "onnx"), ("peers/quantizers", "onnx")}
"""Exceptions to ONLY_IN: folder, library.

Quantizers of other tools take and give models as objects of onnx, in a process of their own.
Recipes are run by hand, to make the packaged networks. A backend of onnx is a class of onnx's own making that runs
networks, so it knows both.
"""

MAX_LINES = 300
LONGER: dict[str, str] = {}
"""File -> why it may be longer."""

COMPILERS = {"njit", "jit", "vectorize", "guvectorize", "cfunc"}

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    return ((path, node) for path in FILES for node in ast.walk(tree_of(path)))


def imports() -> Iterator[tuple[Path, str, str]]:
    """Every import anywhere, those in functions and under TYPE_CHECKING too: file, its place, full name."""
    for path, node in nodes():
        if isinstance(node, ast.Import):
            yield from ((path, f"{name_of(path)}:{node.lineno}", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((path, f"{name_of(path)}:{node.lineno}", name) for name in names)


def test_every_room_stands_on_a_floor() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__", DOOR}
    assert rooms <= set(FLOORS), "a new room needs a floor here and in docs/architecture.md"


def test_the_drawing_of_the_floors_is_the_table() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = dict.fromkeys(FLOORS, -1)
    for floor, rooms in re.findall(r"^(\d)  ([a-z |]+)$", text, re.M):
        drawn |= dict.fromkeys(re.findall(r"[a-z]+", rooms), int(floor))
    assert drawn == FLOORS


def test_every_room_within_a_room_is_in_the_document() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+/[a-z_]+)`", text))
    for room, parts in re.findall(r"`([a-z]+)/\{([a-z_,]+)\}`", text):
        named |= {f"{room}/{part}" for part in parts.split(",")}
    within = {"/".join(name_of(path).split("/")[:2]) for path in FILES if name_of(path).count("/") > 1}
    assert sorted(within - named) == []


def test_a_room_imports_from_lower_floors_only() -> None:
    wrong = []
    for path, place, name in imports():
        room, parts = room_of(path), name.split(".")
        if parts[0] != "qbench" or parts[1:] == ["__version__"] or len(parts) == 1 or room == parts[1]:
            continue
        here, there = FLOORS.get(room, 99 if room == DOOR else -1), FLOORS.get(parts[1], 99)
        if there >= here and not here == there == 0:
            wrong.append(f"{place}: {room} (floor {here}) imports {parts[1]} (floor {there})")
    assert wrong == []


def test_imports_are_absolute() -> None:
    found = [(path, node) for path, node in nodes() if isinstance(node, ast.ImportFrom) and node.level]
    assert [f"{name_of(path)}:{node.lineno}" for path, node in found] == []


def test_a_library_is_used_in_its_own_room_only() -> None:
    wrong = []
    for path, place, name in imports():
        library = name.split(".")[0]
        allowed = any(name_of(path).startswith(folder) and library == known for folder, known in ALLOWED)
        if ONLY_IN.get(library) not in (None, room_of(path)) and not allowed:
            wrong.append(f"{place}: {library} belongs to {ONLY_IN[library]}")
    assert wrong == []


def test_only_the_command_line_prints_or_exits() -> None:
    calls = (
        (path, node.func)
        for path, node in nodes()
        if isinstance(node, ast.Call) and room_of(path) != "cli" and not name_of(path).startswith("zoo/recipes/")
    )
    words = {"print", "exit", "_exit", "breakpoint"}
    wrong = [
        f"{name_of(path)}:{target.lineno}"
        for path, target in calls
        if (isinstance(target, ast.Name) and target.id in words)
        or (isinstance(target, ast.Attribute) and target.attr in words - {"print"})
    ]
    assert wrong == []


def test_all_flags_of_the_compiler_are_decided_in_one_file() -> None:
    wrong = [place for path, place, name in imports() if name in {f"numba.{word}" for word in COMPILERS}]
    wrong += [
        f"{name_of(path)}:{node.lineno}"
        for path, node in nodes()
        if isinstance(node, ast.Attribute)
        and node.attr in COMPILERS
        and isinstance(node.value, ast.Name)
        and node.value.id in ("numba", "nb")
    ]
    assert [place for place in wrong if not place.startswith("kernels/jit.py:")] == []


def test_only_the_runner_looks_at_a_clock() -> None:
    wrong = [
        place
        for path, place, name in imports()
        if name.split(".")[0] in ("time", "timeit") and room_of(path) != "runner"
    ]
    assert [place for place in wrong if not place.startswith("zoo/recipes/")] == []


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES and name not in LONGER} == {}


def test_every_file_says_what_lives_in_it() -> None:
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [name_of(path) for path in FILES if path.stem in DRAWERS] == []


def test_figures_are_made_without_pyplot() -> None:
    assert [place for _, place, name in imports() if name.startswith("matplotlib.pyplot")] == []


def test_a_kind_of_experiment_is_looked_up_and_not_asked_for() -> None:
    """What differs between kinds stands in their parts (`qbench.core.kinds`): nobody compares a kind with a name."""
    wrong = []
    for path, node in nodes():
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        if isinstance(node, ast.Match):
            sides = [
                node.subject,
                *(case.pattern.value for case in node.cases if isinstance(case.pattern, ast.MatchValue)),
            ]
        words = {part.value for side in sides for part in ast.walk(side) if isinstance(part, ast.Constant)}
        if words & set(KINDS):
            wrong.append(f"{name_of(path)}:{node.lineno}")  # type: ignore[attr-defined]
    assert wrong == []


def test_a_room_asks_for_its_own_part_of_a_kind() -> None:
    wrong = []
    askers = {path for path, _, name in imports() if name == "qbench.core.kinds.part"}
    for path, node in nodes():
        called = node.func if isinstance(node, ast.Call) and path in askers else None
        if isinstance(node, ast.Call) and isinstance(called, ast.Name) and called.id == "part":
            room = node.args[1]
            assert isinstance(room, ast.Constant)
            if room.value != room_of(path):
                wrong.append(f"{name_of(path)}:{node.lineno}")
    for name, kind in KINDS.items():
        for room in ("suite", "results", "runner", "report", "cli"):
            place = getattr(kind, room)
            if not place.startswith(f"qbench.{room}."):
                wrong.append(f"{name}: {place}")
    assert wrong == []


MOST_FILES = 25
"""Python files in one folder of the package."""

PREFIXES = ("kernel_", "memory_", "cuda_")
"""Families that are rooms."""

MOST_PARAMETERS = 7
CALLED_BY_A_COMPILER = {"peers/cuda/triton_kernel.py:int8_gemm"}
"""A kernel of another library's language, launched with all that it reads."""


def test_no_folder_holds_too_many_files() -> None:
    counts = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in FILES)
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}
    assert counts["runner"] <= 20


def test_no_family_of_files_is_named_by_a_prefix() -> None:
    assert [name_of(path) for path in FILES if path.name.startswith(PREFIXES)] == []


def test_no_function_outside_of_kernels_takes_many_parameters() -> None:
    found = {}
    for path, node in nodes():
        if isinstance(node, ast.FunctionDef) and room_of(path) != "kernels":
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [argument.arg for argument in given if argument.arg not in ("self", "cls")]
            if len(names) > MOST_PARAMETERS:
                found[f"{name_of(path)}:{node.name}"] = len(names)
    assert found.keys() == CALLED_BY_A_COMPILER


def test_a_quantized_network_is_one_class() -> None:
    classes = [node.name for _, node in nodes() if isinstance(node, ast.ClassDef)]
    assert [name for name in classes if re.fullmatch(r"Quantized(Network)?|PeerModel", name)] == ["QuantizedNetwork"]
