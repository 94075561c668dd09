"""A small safe expression over the fields of a trial, e.g. `bits <= 4 and method == mse`.

Known words are fields; any other word, and text in quotes, is a string. There are comparisons, `in`, `not in`, lists,
`and`, `or`, `not` and brackets, and nothing else: no calls, no attributes, no arithmetic.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from qbench.core.alike import trial_fields
from qbench.core.trial import Trial
from qbench.errors import SuiteError, suggest

Fields: TypeAlias = Mapping[str, str | int]
Condition: TypeAlias = Callable[[Fields], bool]

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A checked expression."""

    text: str
    _holds: Condition

    def __call__(self, trial: Trial) -> bool:
        """Return whether the expression holds for `trial`."""
        return self._holds(trial_fields(trial))


def parse_filter(text: str) -> Filter:
    """Check `text` and return it as a Filter.

    Raises:
        SuiteError: it is not an expression of the small language above, or its types cannot be compared.
    """
    source, holds = parse_condition(text, trial_fields(Trial("sweep", "model", "data", "all", "w8c-a8t", "minmax")))
    return Filter(source, holds)


def parse_condition(text: str, example: Fields) -> tuple[str, Condition]:
    """Check `text` against the fields of `example` and return it with single spaces, and what it holds of.

    Raises:
        SuiteError: as `parse_filter`.
    """
    source = " ".join(text.split())
    try:
        holds = _condition(ast.parse(source, mode="eval").body, example)
        holds(example)
    except SyntaxError as error:
        hint = "put names that hold dots in quotes"
        raise SuiteError(f"filter '{source}': cannot be read at column {error.offset}; {hint}") from error
    except (_NotAllowedError, TypeError) as error:
        raise SuiteError(f"filter '{source}': {error}") from error
    return source, holds


class _NotAllowedError(Exception):
    """A part of the expression is outside the language; the message says which."""


def _condition(node: ast.expr, known: Fields) -> Condition:
    """Return what holds or not: a comparison, or comparisons joined by and, or, not. All sides are evaluated."""
    if isinstance(node, ast.BoolOp):
        parts = [_condition(value, known) for value in node.values]
        join = all if isinstance(node.op, ast.And) else any
        return lambda fields: join([part(fields) for part in parts])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _condition(node.operand, known)
        return lambda fields: not inner(fields)
    if not isinstance(node, ast.Compare):
        raise _NotAllowedError(f"expected a comparison such as bits <= 4, got '{ast.unparse(node)}'")
    sides = [node.left, *node.comparators]
    if not any(isinstance(side, ast.Name) and side.id in known for side in sides):
        words = [side.id for side in sides if isinstance(side, ast.Name)]
        raise _NotAllowedError(f"no field in '{ast.unparse(node)}'{suggest(words[0], known) if words else ''}")
    if any(type(op) not in _COMPARE for op in node.ops):
        raise _refusal(node)
    operands = [_operand(side, known) for side in sides]
    tests = [_COMPARE[type(op)] for op in node.ops]

    def compare(fields: Fields) -> bool:
        values = [operand(fields) for operand in operands]
        for one, other in pairwise(values):
            if isinstance(one, str) and isinstance(other, int | float):
                raise TypeError(
                    f"'{ast.unparse(node)}' compares text with a number; put words that are fields in quotes"
                )
        return all([test(*pair) for test, pair in zip(tests, pairwise(values), strict=True)])

    return compare


def _operand(node: ast.expr, known: Fields) -> Callable[[Fields], Any]:
    """Return the value of a field, a word, a number or a list; `w4c-a8t` parses as a subtraction, and is a word."""
    if isinstance(node, ast.Name):
        name = node.id
        return (lambda fields: fields[name]) if name in known else (lambda fields: name)
    if isinstance(node, ast.Constant) and type(node.value) in (str, int, float):
        value = node.value
        return lambda fields: value
    if isinstance(node, ast.List | ast.Tuple):
        items = [_operand(item, known) for item in node.elts]
        return lambda fields: [item(fields) for item in items]
    if isinstance(node, ast.BinOp) and all(
        isinstance(part, ast.BinOp | ast.Sub | ast.Name | ast.Load) for part in ast.walk(node)
    ):
        word = ast.unparse(node).replace(" ", "")
        return lambda fields: word
    raise _refusal(node)


def _refusal(node: ast.expr) -> _NotAllowedError:
    return _NotAllowedError(
        f"'{ast.unparse(node)}' is not allowed; expected comparisons of fields with words, numbers or lists"
    )
