"""The onnx package's own node tests, through qbench's reader; remakes docs/onnx_conformance.md.

    python -m tests.graph.conformance

Every test runs as it stands, and, where it has several inputs, once more with all but the first made constants, as
weights are in networks: that is what typed nodes are made of.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, numpy_helper

from qbench.engine.backend import QBenchBackend
from qbench.errors import QBenchError
from qbench.graph import Foreign

TABLE = Path(__file__).parents[2] / "docs" / "onnx_conformance.md"

REASONS: tuple[tuple[str, str], ...] = (
    ("could not find an implementation", "onnxruntime has no CPU kernel for it"),
    ("is under development", "onnxruntime does not know its operator set yet"),
    ("onnxruntime only *guarantees* support", "onnxruntime does not know its operator set yet"),
    ("no op registered", "onnxruntime does not know the operator"),
    ("is not a registered function", "onnxruntime does not know the operator"),
    ("expected operator set 7..", "an operator set older than 7"),
    ("expected a tensor of numbers", "an input that is a sequence, an optional value, or words"),
    ("got none or a shape", "an input without a shape"),
    ("expected a shape", "an input without a shape"),
    ("operators of domain", "an operator of another domain"),
    ("holds text", "words"),
    ("unsupported type", "onnxruntime does not take its types"),
    ("type error", "onnxruntime does not take its types"),
    ("invalid model", "onnxruntime takes the model for invalid"),
    ("failed to find kernel", "onnxruntime has no CPU kernel for it"),
    ("[shapeinferenceerror]", "ONNX's own shape inference refuses a node of it"),
    ("numpy_type", "onnxruntime takes no such arrays from Python"),
    ("unexpected input data type", "onnxruntime takes no such arrays from Python"),
    ("onnxruntime failed", "onnxruntime fails on it"),
    ("exception during initialization", "onnxruntime fails on it"),
)
"""A part of a message -> why a test does not pass."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run of one test: `reason` is "" where it passed."""

    test: str
    operator: str
    constants: bool
    kinds: tuple[str, ...]
    reason: str
    detail: str = ""


def tests() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's cases divide by zero on purpose
        from onnx.backend.test import loader

        return list(loader.load_model_tests(kind="node"))


def outcomes(cases: Iterable[Any]) -> list[Outcome]:
    found: list[Outcome] = []
    for case in cases:
        found.append(_outcome(case, constants=False))
        inputs = _arrays(case.data_sets[0][0])
        if len(inputs) > 1 and all(isinstance(array, np.ndarray) for array in inputs):
            found.append(_outcome(case, constants=True))
    return found


def _outcome(case: Any, *, constants: bool) -> Outcome:
    operators = Counter(node.op_type for node in case.model.graph.node)
    operator = operators.most_common(1)[0][0] if len(operators) == 1 else _named(case.name, operators)
    kinds: tuple[str, ...] = ()
    sets = [(_arrays(inputs), _arrays(outputs)) for inputs, outputs in case.data_sets]
    if not all(isinstance(array, np.ndarray | np.generic) for _, outputs in sets for array in outputs):
        return Outcome(case.name, operator, constants, kinds, "an output that is no tensor")
    try:
        for inputs, expected in sets:
            model, given = (_bound(case.model, inputs), inputs[:1]) if constants else (case.model, inputs)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                rep = QBenchBackend.prepare(model)
                kinds = tuple("foreign" if isinstance(n, Foreign) else "typed" for n in rep.network.nodes)
                found = rep.run(given)
            _compare(found, expected, case)
    except QBenchError as error:
        return Outcome(case.name, operator, constants, kinds, _reason(str(error)), str(error))
    except AssertionError as error:
        line = " ".join(str(error).split())[:150]
        reason = "onnxruntime computes other numbers" if _onnxruntime_differs(case) else "other numbers"
        return Outcome(case.name, operator, constants, kinds, reason, line)
    return Outcome(case.name, operator, constants, kinds, "")


def _arrays(values: Sequence[Any]) -> list[Any]:
    """Return values with tensors, as cases hold those that NumPy has no type for, as arrays."""
    return [numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value for value in values]


def _onnxruntime_differs(case: Any) -> bool:
    """Whether onnxruntime alone, given the whole file, does not give what the test expects either."""
    try:
        session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
        for inputs, expected in ((_arrays(given), _arrays(wanted)) for given, wanted in case.data_sets):
            names = [port.name for port in session.get_inputs()]
            _compare(session.run(None, dict(zip(names, inputs, strict=True))), expected, case)
    except Exception:  # its errors have no parent of their own
        return True
    return False


def _named(name: str, operators: Counter[str]) -> str:
    flat = name.removeprefix("test_").replace("_", "")
    fitting = [op for op in operators if flat.startswith(op.lower())]
    return max(fitting, key=len) if fitting else operators.most_common(1)[0][0]


def _bound(model: ModelProto, inputs: Sequence[Any]) -> ModelProto:
    """Return the model with all inputs but the first made constants."""
    bound = ModelProto()
    bound.CopyFrom(model)
    for value, array in zip(model.graph.input[1:], inputs[1:], strict=True):
        bound.graph.initializer.append(numpy_helper.from_array(array, value.name))
    return bound


def _compare(found: Sequence[Any], expected: Sequence[Any], case: Any) -> None:
    assert len(found) == len(expected), f"{len(found)} outputs, expected {len(expected)}"
    for one, expectation in zip(found, expected, strict=True):
        other = np.asarray(expectation)
        assert one.dtype == other.dtype, f"type {one.dtype}, expected {other.dtype}"
        assert one.shape == other.shape, f"shape {one.shape}, expected {other.shape}"
        if other.dtype.kind in "OSU":
            assert np.array_equal(one, other), "other words"
        else:
            kind = np.complex128 if other.dtype.kind == "c" else np.float64
            np.testing.assert_allclose(one.astype(kind), other.astype(kind), rtol=case.rtol, atol=case.atol)


def _reason(message: str) -> str:
    lowered = message.lower()
    return next((why for part, why in REASONS if part in lowered), "refused")


def table(found: Sequence[Outcome]) -> str:
    """Return the page."""
    version = f"onnx {onnx.__version__}, {len({outcome.test for outcome in found})} tests"
    passed = sum(not outcome.reason for outcome in found if not outcome.constants)
    total = sum(not outcome.constants for outcome in found)
    bound = [outcome for outcome in found if outcome.constants]
    lines = [
        "# ONNX conformance",
        "",
        "qbench as a backend of the `onnx` package (`qbench.engine.backend.QBenchBackend`) on the package's own node",
        f"tests ({version}). Remake this page with `python -m tests.graph.conformance`.",
        "",
        f"**{passed} of {total} tests pass as they stand; of {len(bound)} with several inputs,",
        f"{sum(not outcome.reason for outcome in bound)} pass with all but the first made constants**, as weights are",
        "in networks. *typed* counts the runs in which every node became one of qbench's own; the others ran, whole",
        "or in part, through onnxruntime, and what it has no kernel for through the reference of the `onnx` package.",
        "",
        "| operator | pass | of | typed | why others do not |",
        "|---|---:|---:|---:|---|",
    ]
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in found:
        groups[outcome.operator].append(outcome)
    for operator in sorted(groups):
        group = groups[operator]
        good = [outcome for outcome in group if not outcome.reason]
        typed = sum(bool(outcome.kinds) and set(outcome.kinds) == {"typed"} for outcome in good)
        why = Counter(outcome.reason for outcome in group if outcome.reason)
        words = "; ".join(f"{reason} ({count})" for reason, count in sorted(why.items()))
        lines.append(f"| {operator} | {len(good)} | {len(group)} | {typed} | {words} |")
    return "\n".join([*lines, "", *_reasons(found)]) + "\n"


def _reasons(found: Sequence[Outcome]) -> list[str]:
    """Return the runs that do not pass, by reason, and by their names."""
    lines = ["## Runs that do not pass", ""]
    groups: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in found:
        if outcome.reason:
            groups[outcome.reason].append(outcome)
    for reason, group in sorted(groups.items()):
        names = sorted(f"`{o.test}`{' (constants)' if o.constants else ''}" for o in group)
        lines += [f"**{reason[0].upper()}{reason[1:]}** ({len(group)}): {', '.join(names)}.", ""]
    return lines[:-1] if len(lines) > 2 else []


if __name__ == "__main__":
    results = outcomes(tests())
    TABLE.write_text(table(results), encoding="utf-8")
