"""YAML text -> plain data, with the file and line of every key. Knows nothing of what a suite means."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from qbench.errors import SuiteError

MOST_DEPTH, MOST_VALUES = 40, 100_000
"""No suite needs more lists and mappings within each other, or more values, aliases counted as often as they stand."""

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data and where each of its keys was written.

    Args:
        data: what the file says: mappings, lists, numbers, strings.
        places: key path -> `file:line`, or `--set key=value` for a value from the command line.
    """

    data: dict[str, Data]
    places: dict[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Return where `path` was written, or its nearest ancestor that was."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return "suite"


def key_text(path: KeyPath) -> str:
    """Return a key path as it is written on the command line, e.g. `sweeps.0.bits`."""
    return ".".join(str(part) for part in path)


def read_document(path: Path) -> Document:
    """Read a YAML file that holds one mapping.

    Raises:
        SuiteError: the file is missing, is not YAML, or holds a doubled key, a merge key or no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: expected UTF-8 text, got byte {error.object[error.start]:#04x}") from error
    except OSError as error:
        raise SuiteError(f"{path}: cannot read the suite: {error.strerror}") from error
    builder = _Builder(str(path))
    node = builder.compose(text)
    if not isinstance(node, yaml.MappingNode):
        raise SuiteError(f"{path}:1: expected a mapping of keys such as 'name: ...', got {_kind(node)}")
    builder.places[()] = f"{path}:{node.start_mark.line + 1}"
    data = builder.build(node, ())
    assert isinstance(data, dict)
    return Document(data, builder.places)


def parse_scalar(text: str, *, source: str) -> Data:
    """Return the data of a piece of YAML such as `0.5`, `[8, 4]` or `mse`; `source` names it in messages."""
    builder = _Builder(source)
    node = builder.compose(text)
    return None if node is None else builder.build(node, ())


def _kind(node: yaml.Node | None) -> str:
    if node is None:
        return "an empty file"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else f"'{node.value}'"


class _Builder:
    """Turns YAML nodes into data and notes the line of each key."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places: dict[KeyPath, str] = {}
        self._loader = yaml.SafeLoader("")
        self._open: set[int] = set()
        self._built = 0

    def compose(self, text: str) -> yaml.Node | None:
        try:
            self._check_depth(text)
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise SuiteError(f"{self.source}:{line}: not valid YAML: {error.problem}") from error
        except yaml.YAMLError as error:
            raise SuiteError(f"{self.source}: not valid YAML: {' '.join(str(error).split())}") from error

    def _check_depth(self, text: str) -> None:
        """Raise SuiteError for lists in lists beyond what any suite needs: they would end in a RecursionError."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                assert event.start_mark is not None
                line = f"{self.source}:{event.start_mark.line + 1}"
                raise SuiteError(
                    f"{line}: expected at most {MOST_DEPTH} lists and mappings within each other, got more"
                )

    def build(self, node: yaml.Node, path: KeyPath) -> Data:
        self._built += 1
        if len(path) > MOST_DEPTH or self._built > MOST_VALUES:
            most = f"{MOST_DEPTH} lists within each other" if len(path) > MOST_DEPTH else f"{MOST_VALUES:,} values"
            raise SuiteError(f"{self._place(node)}: expected at most {most}, got more: what do its aliases repeat?")
        self.places[path] = self._place(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise SuiteError(f"{self._place(node)}: '{key_text(path)}' contains itself")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)
            return self._mapping(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Data]:
        found: dict[str, Data] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise SuiteError(f"{self._place(key_node)}: expected a word as key, got {_kind(key_node)}")
            if key == "<<":
                raise SuiteError(f"{self._place(key_node)}: merge keys are not read; use 'base: other.yaml'")
            child = (*path, key)
            if key in found:
                raise SuiteError(
                    f"{self._place(key_node)}: key '{key_text(child)}' is written twice; first at {self.places[child]}"
                )
            found[key] = self.build(value_node, child)
            self.places[child] = self._place(key_node)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Data:
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise SuiteError(f"{self._place(node)}: '{key_text(path)}' cannot be read: '{node.value}'") from error
        return value if value is None or isinstance(value, bool | int | float | str) else node.value

    def _place(self, node: yaml.Node) -> str:
        return f"{self.source}:{node.start_mark.line + 1}"
