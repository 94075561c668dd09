"""The shortcut of the first ResNets for CIFAR-10: every second pixel, and channels of zeros beside the others."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession, build_session
from qbench.graph import Network, Pool, QuantizedNetwork, Select, outputs_of, qdq_onnx_bytes, read_onnx, to_onnx_bytes
from qbench.methods import ActivationStats, stats_of
from tests.engine.conftest import quantized
from tests.graph.conftest import Sketch
from tests.graph.oracle import outputs_of_file


def resnet(sketch: Sketch, blocks: int = 3, widths: tuple[int, ...] = (16, 32, 64), *, twice: bool = False) -> Path:
    """Draw a ResNet of `6 * blocks + 2` layers; `twice` slices rows and columns one after the other."""

    def conv(source: str, output: str, shape: tuple[int, int], name: str, stride: int = 1) -> None:
        values = sketch.generator.normal(0, np.sqrt(2 / (9 * shape[1])), (*shape, 3, 3)).astype(np.float32)
        sketch.constant(f"{name}.weight", values)
        sketch.node("Conv", f"{source} {name}.weight", f"{output}:c", name, pads=[1] * 4, strides=[stride] * 2)
        sketch.norm(f"{output}:c", output, shape[0], f"{name}.bn")

    def shortcut(source: str, name: str, more: int) -> str:
        sketch.constant("0", np.asarray([0, 0]))
        sketch.constant("end", np.asarray([2**63 - 1] * 2))
        sketch.constant("axes", np.asarray([2, 3]))
        sketch.constant("2", np.asarray([2, 2]))
        for axis in ("rows", "columns") if twice else ("",):
            words = [word if not axis else sketch.constant(f"{word}.{axis}", np.asarray(value)) for word, value in
                     (("0", [0]), ("end", [2**63 - 1]), ("axes", [2 + (axis == "columns")]), ("2", [2]))]  # fmt: skip
            sketch.node("Slice", " ".join([source, *words]), f"{name}:s{axis}", f"{name}.slice{axis}")
            source = f"{name}:s{axis}"
        sketch.constant(f"{name}.pads", np.asarray([0, more // 2, 0, 0, 0, more // 2, 0, 0]))
        sketch.constant("zero", np.float32(0))
        sketch.node("Pad", f"{source} {name}.pads zero", f"{name}:p", f"{name}.shortcut")
        return f"{name}:p"

    conv("x", "stem", (widths[0], 3), "conv1")
    sketch.node("Relu", "stem", "h0")
    at, width = "h0", widths[0]
    for stage, out in enumerate(widths):
        for block in range(blocks):
            name = f"layer{stage + 1}.{block}"
            conv(at, f"{name}:a", (out, width), f"{name}.conv1", 1 + (out != width))
            sketch.node("Relu", f"{name}:a", f"{name}:r")
            conv(f"{name}:r", f"{name}:b", (out, out), f"{name}.conv2")
            other = at if out == width else shortcut(at, name, out - width)
            sketch.node("Add", f"{name}:b {other}", f"{name}:sum")
            sketch.node("Relu", f"{name}:sum", f"{name}:y")
            at, width = f"{name}:y", out
    sketch.node("GlobalAveragePool", at, "pooled")
    sketch.node("Flatten", "pooled", "flat")
    sketch.weights("linear.weight", 10, width)
    sketch.node("Gemm", "flat linear.weight", "y", transB=1)
    return sketch.save(("n", 3, 32, 32))


def resnet8() -> bytes:
    with TemporaryDirectory() as folder:
        return resnet(Sketch(Path(folder)), 1, (16, 32, 64)).read_bytes()


def sqnr_db(found: Floats, expected: Floats) -> float:
    return float(10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()))


def calibrated(network: Network, x: Floats) -> dict[str, ActivationStats]:
    return {name: stats_of(parts) for name, parts in FloatSession(network, threads=1).observe(x).items()}


def images(count: int = 8) -> Floats:
    return np.random.default_rng(3).normal(size=(count, 3, 32, 32)).astype(np.float32)


def test_public_resnet20_is_all_integer_and_answers_as_onnxruntime(sketch: Sketch) -> None:
    path = resnet(sketch)
    network = read_onnx(path)
    assert not network.foreign
    assert [type(node) for node in network.nodes].count(Pool) == 3  # two shortcuts, and the mean at the end
    pads = [node for node in network.nodes if isinstance(node, Select)]
    assert [node.channels[:9] for node in pads] == [(*[-1] * 8, 0), (*[-1] * 9,)]
    x = images()
    (expected,) = outputs_of_file(path, {"x": x})
    assert sqnr_db(FloatSession(network).run(x), expected) > 60
    weights, activations = quantized(network, calibrated(network, x), "w8c-a8t", "minmax")
    session = build_session(QuantizedNetwork(network, weights, activations))
    assert (session.execution, session.integer_share, session.execution_reason) == ("integer", 1.0, "")
    found = session.run(x)
    (same,) = outputs_of_file(qdq_onnx_bytes(QuantizedNetwork(network, weights, activations)), {"x": x})
    assert sqnr_db(found, expected) > 20
    assert sqnr_db(found, same) > 25


@pytest.mark.parametrize("twice", [False, True])
def test_network_with_channels_of_zeros_reads_back_as_it_was(sketch: Sketch, tmp_path: Path, *, twice: bool) -> None:
    network = read_onnx(resnet(sketch, 1, (4, 8, 16), twice=twice))
    written = tmp_path / "written.onnx"
    written.write_bytes(to_onnx_bytes(network))
    again = read_onnx(written)
    assert [(type(node), outputs_of(node)) for node in again.nodes] == [
        (type(node), outputs_of(node)) for node in network.nodes
    ]
    chosen = [[node.channels for node in each.nodes if isinstance(node, Select)] for each in (network, again)]
    assert chosen[0] == chosen[1]


def test_zeros_between_channels_read_back_as_one_node(sketch: Sketch, tmp_path: Path) -> None:
    sketch.constant("pads", np.asarray([0, 0, 0, 0, 0, 1, 0, 0]))
    sketch.node("Pad", "x pads", "p")
    sketch.constant("channels", np.asarray([3, 1, 3, 0, 2]))
    sketch.node("Gather", "p channels", "y", axis=1)
    network = read_onnx(sketch.save())
    assert [node.channels for node in network.nodes if isinstance(node, Select)] == [(-1, 1, -1, 0, 2)]
    written = tmp_path / "written.onnx"
    written.write_bytes(to_onnx_bytes(network))
    assert [node.channels for node in read_onnx(written).nodes if isinstance(node, Select)] == [(-1, 1, -1, 0, 2)]
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (expected,), (found,) = (outputs_of_file(path, {"x": x}) for path in (sketch.path, written))
    assert np.array_equal(found, expected)


def test_zeros_around_an_image_go_into_the_pool_that_reads_them(sketch: Sketch, tmp_path: Path) -> None:
    sketch.constant("pads", np.asarray([0, 0, 1, 0, 0, 0, 1, 1]))
    sketch.node("Relu", "x", "r")
    sketch.node("Pad", "r pads", "a")
    sketch.node("MaxPool", "a", "m", kernel_shape=[3, 3], strides=[2, 2])
    sketch.node("Pad", "x pads", "b")
    sketch.node("AveragePool", "b", "n", kernel_shape=[3, 3], strides=[2, 2])
    sketch.node("MaxPool", "b", "o", kernel_shape=[3, 3], strides=[2, 2])  # numbers below zero: its padding counts
    sketch.node("Concat", "m n o", "y", axis=1)
    network = read_onnx(sketch.save())
    assert len(network.foreign) == 1
    written = tmp_path / "written.onnx"
    written.write_bytes(to_onnx_bytes(network))
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (expected,), (found,) = (outputs_of_file(path, {"x": x}) for path in (sketch.path, written))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("start", "end", "step"), [(1, 8, 2), (0, 5, 1), (0, 8, 3), (0, 5, 2), (-1, -9, -1)])
def test_other_slices_of_rows_are_right_whether_typed_or_not(
    sketch: Sketch, tmp_path: Path, start: int, end: int, step: int
) -> None:
    for name, value in (("start", [start]), ("end", [end]), ("axis", [2]), ("step", [step])):
        sketch.constant(name, np.asarray(value))
    sketch.node("Slice", "x start end axis step", "y")
    network = read_onnx(sketch.save())
    assert isinstance(network.nodes[0], Pool) == (start == 0 and (end, step) in {(8, 3)})
    written = tmp_path / "written.onnx"
    written.write_bytes(to_onnx_bytes(network))
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    (expected,), (found,) = (outputs_of_file(path, {"x": x}) for path in (sketch.path, written))
    assert np.array_equal(found, expected)
