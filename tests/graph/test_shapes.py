"""Sizes that a file leaves free are fixed from outside, in Python, on the command line and in suites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qbench.cli import root
from qbench.errors import ModelError, QBenchError
from qbench.graph.readers import parse_shapes, read_network
from qbench.suite import load_suite
from tests.graph.conftest import Sketch


def free(sketch: Sketch) -> Path:
    sketch.weights("w", 4, 3, 3, 3)
    sketch.node("Conv", "x w", "a", pads=[1] * 4)
    sketch.node("GlobalAveragePool", "a", "b")
    sketch.node("Flatten", "b", "c")
    sketch.weights("fc", 4, 5)
    sketch.node("Gemm", "c fc", "y")
    return sketch.save(("n", 3, "h", None))


def test_shape_fixes_what_the_file_leaves_free(sketch: Sketch) -> None:
    path = free(sketch)
    small, large = (read_network(path, shapes=parse_shapes([f"x={text}"])) for text in ("3x8x10", "3x16x16"))
    assert (small.input_shape, large.input_shape) == ((3, 8, 10), (3, 16, 16))
    assert small.sha256 != large.sha256  # results of one are not taken for those of the other
    np.testing.assert_array_equal(small.layers[0].weight, large.layers[0].weight)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"got \['n', 3, 'h', '\?'\]; fix them by --shape, such as --shape x=3x224x224$"),
        ({"z": (3, 8, 8)}, r"no input 'z'.*; it has \['x'\]$"),
        ({"x": (3, 8)}, r"which 3x8 \(without the batch\) does not fit$"),
        ({"x": (1, 8, 8)}, r"which 1x8x8 \(without the batch\) does not fit$"),
    ],
)
def test_shape_that_does_not_fit_is_refused(sketch: Sketch, given: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_network(free(sketch), shapes=given)


@pytest.mark.parametrize("words", [["x"], ["=3"], ["x="], ["x=3x-1"], ["x=3x0"], ["x=3,4"], ["x=1", "x=2"], ["x=²"]])
def test_words_that_say_no_shape_are_refused(words: list[str]) -> None:
    with pytest.raises(ModelError, match=r"^shape: expected"):
        parse_shapes(words)


def test_plan_takes_shapes(sketch: Sketch, capsys: pytest.CaptureFixture[str]) -> None:
    path = free(sketch)
    with pytest.raises(ModelError, match="--shape x=3x224x224"):
        root.main(["plan", str(path)], standalone_mode=False)
    root.main(["plan", str(path), "--shape", "x=3x8x8"], standalone_mode=False)
    assert "100.0 %" in capsys.readouterr().out
    with pytest.raises(QBenchError, match="this option is for networks"):
        root.main(["plan", "suites/tiny.yaml", "--shape", "x=3x8x8"], standalone_mode=False)


SUITE = """
name: free
model: sketch.onnx
shapes: {x: 3x8x8, ids: 12}
data: cifar10-shard
sweeps: [{name: one, spec: w8c-a8t, recipe: minmax}]
"""


def test_suite_says_shapes(tmp_path: Path) -> None:
    path = tmp_path / "free.yaml"
    path.write_text(SUITE)
    assert load_suite(path).given == {"x": (3, 8, 8), "ids": (12,)}
    path.write_text(SUITE.replace("3x8x8", "3x8x"))
    with pytest.raises(QBenchError, match=r"free.yaml:4: .*expected sizes without the batch"):
        load_suite(path)
