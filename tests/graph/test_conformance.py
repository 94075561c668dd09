"""The onnx package's node tests: a sample against the committed table, all of them when asked."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

from qbench.engine.backend import QBenchBackend
from tests.graph import conformance


def _committed() -> str:
    return conformance.TABLE.read_text(encoding="utf-8")


def _failing() -> set[tuple[str, bool]]:
    """Return the runs that the committed table says do not pass: name, with constants."""
    return {(name, bool(bound)) for name, bound in re.findall(r"`(test_\w+)`( \(constants\))?", _committed())}


def test_every_ninth_test_ends_as_the_table_says() -> None:
    found = conformance.outcomes(conformance.tests()[::9])
    wrong = {(o.test, o.constants) for o in found if o.reason} ^ (_failing() & {(o.test, o.constants) for o in found})
    assert wrong == set()
    assert len(found) > 200


@pytest.mark.slow
def test_whole_table_is_up_to_date() -> None:
    assert conformance.table(conformance.outcomes(conformance.tests())) == _committed()


def test_no_test_fails_for_a_reason_of_qbenchs_own_that_is_not_told() -> None:
    assert "**Other numbers**" not in _committed()
    told = re.findall(r"^\*\*(.+)\*\* \(\d+\):", _committed(), flags=re.MULTILINE)
    known = {reason[0].upper() + reason[1:] for _, reason in conformance.REASONS}
    assert set(told) <= known | {"Onnxruntime computes other numbers", "An output that is no tensor"}


def test_backend_runs_a_model_and_says_what_it_can_run_on() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> agraph (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }'
    )
    x = np.asarray([[-1, 0, 2]], np.float32)
    (y,) = QBenchBackend.run_model(model, [x])
    np.testing.assert_array_equal(y, [[0, 0, 2]])
    assert QBenchBackend.supports_device("CPU")
    assert not QBenchBackend.supports_device("CUDA")
