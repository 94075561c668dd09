"""Whatever is wrong with a file is told in one line that names it; nothing else than ModelError comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from qbench.errors import ModelError
from qbench.graph import read_onnx
from qbench.zoo import model_path

if TYPE_CHECKING:
    from tests.graph.conftest import Sketch


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_onnx(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(f"{path}: ")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.onnx") == "no such file"
    assert refusal(tmp_path).startswith("cannot be read")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 100, b"PK\x03\x04" * 20, b"name: resnet\n" * 10])
def test_file_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    assert "not an ONNX file, or a truncated one" in refusal(path)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    content = model_path("resnet20").read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    refusal(path)


def test_operator_that_does_not_exist_is_named_with_its_node(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "a")
    sketch.node("Sigmoids", "a", "y", "/head/Sigmoid")
    message = refusal(sketch.save())
    assert message == "node '/head/Sigmoid' (Sigmoids): no such operator in operator set 17"


def test_unnamed_node_is_called_by_its_output(sketch: Sketch) -> None:
    sketch.node("Sinus", "x", "y")
    assert refusal(sketch.save()).startswith("node 'y' (Sinus):")


def test_cycle(sketch: Sketch) -> None:
    sketch.node("Add", "x b", "a", "first")
    sketch.node("Relu", "a", "b", "second")
    sketch.node("Relu", "b", "y", "third")
    assert refusal(sketch.save()) == "node 'first' (Add): waits for its own output, in a cycle"


def test_missing_initializer(sketch: Sketch) -> None:
    sketch.node("Conv", "x stem.weight", "y", "stem")
    assert refusal(sketch.save()) == "node 'stem' (Conv): reads 'stem.weight', which no node and no initializer gives"


def test_tensor_that_is_written_twice(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "y", "one")
    sketch.node("Relu", "x", "y", "two")
    assert refusal(sketch.save()) == "node 'two' (Relu): tensor 'y' is written twice"


def test_output_that_nothing_writes(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "a")
    assert refusal(sketch.save()) == "output 'y' is written by no node"


def test_network_that_does_nothing_or_ignores_its_input(sketch: Sketch) -> None:
    sketch.node("Identity", "x", "y")
    assert "returns its input" in refusal(sketch.save())
    sketch.nodes.clear()
    sketch.node("Constant", "", "y", value_float=1.0)
    assert "is a constant" in refusal(sketch.save())


@pytest.mark.parametrize(("inputs", "outputs"), [("x x", "y"), ("x", "y y")])
def test_ends_of_one_name(sketch: Sketch, inputs: str, outputs: str) -> None:
    sketch.node("Relu", "x", "y")
    message = refusal(sketch.save(inputs=inputs, outputs=outputs))
    assert "appears twice, or has no name" in message


@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), ("n", 3, None, 8), ("n", "c", 8, 8), ("n", 0, 8, 8)])
def test_images_whose_size_nobody_tells(sketch: Sketch, shape: tuple[int | str | None, ...]) -> None:
    sketch.node("Relu", "x", "y")
    assert refusal(sketch.save(shape)).startswith("input 'x': expected (batch, c, h, w) with fixed c, h, w, got ")


def test_input_of_absurd_size(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "y")
    assert refusal(sketch.save(("n", 3, 2**40, 8))).startswith("input 'x': expected sizes up to 268435456, got ")


def test_input_of_a_type_that_its_operator_does_not_take(sketch: Sketch) -> None:
    sketch.node("Relu", "x", "y")
    assert refusal(sketch.save(kind=TensorProto.UINT8)).startswith(
        "node 'y' (Relu): X typestr: T, has unsupported type"
    )


def test_input_of_words(sketch: Sketch) -> None:
    sketch.node("Identity", "x", "y")
    assert refusal(sketch.save(kind=TensorProto.STRING)) == "input 'x': expected a tensor of numbers, got STRING"


@pytest.mark.parametrize("opset", [6, 999])
def test_operator_set_out_of_range(sketch: Sketch, opset: int) -> None:
    sketch.node("Relu", "x", "y")
    assert refusal(sketch.save(opset=opset)).startswith("expected operator set 7..")


WEIGHTS: dict[str, tuple[Any, str]] = {
    "of the wrong rank": (
        np.zeros((4, 3, 3), np.float32),
        "Number of spatial dimensions in the weight tensor (1) does not match",
    ),
    "of the wrong type": (np.zeros((4, 3, 1, 1), np.float16), "W has inconsistent type tensor(float16)"),
    "with a NaN": (np.full((4, 3, 1, 1), np.nan, np.float32), "its weight 'w' is empty or holds NaN or infinity"),
    "empty": (np.zeros((0, 3, 1, 1), np.float32), "its weight 'w' is empty or holds NaN or infinity"),
    "for other channels": (np.zeros((4, 5, 1, 1), np.float32), "does not fit 3 channels"),
    "larger than the image": (np.zeros((4, 3, 9, 9), np.float32), "its 9x9 window does not fit into (batch, 3, 8, 8)"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_convolution_with_weights(sketch: Sketch, case: str) -> None:
    array, expected = WEIGHTS[case]
    sketch.constant("w", array)
    sketch.node("Conv", "x w", "y", "stem")
    message = refusal(sketch.save())
    assert message.startswith("node 'stem' (Conv): ")
    assert expected in message


ATTRIBUTES: dict[str, tuple[Any, str]] = {
    "strides": ([0, 1], "Attribute strides must only contain positive values"),
    "dilations": ([1], "Attribute dilations has incorrect size"),
    "pads": ([1, 1], "Attribute pads has incorrect size"),
    "group": (0, "expected a group of at least 1"),
    "auto_pad": ("SOMEHOW", "auto_pad: expected NOTSET"),
    "kernel_shape": ([5, 5], "kernel_shape (5, 5) differs from its weight"),
}


@pytest.mark.parametrize("key", ATTRIBUTES)
def test_convolution_with_a_bad_attribute(sketch: Sketch, key: str) -> None:
    value, expected = ATTRIBUTES[key]
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "x w", "y", **{key: value})
    assert expected in refusal(sketch.save())


def test_attribute_of_the_wrong_type(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "x w", "y", group=1.5)
    message = refusal(sketch.save())
    assert message == "node 'y' (Conv): Mismatched attribute type in ' : group'. Expected: 'INT', actual: 'FLOAT'"


def _norm_with_too_few_numbers(sketch: Sketch) -> None:
    sketch.norm("x", "y", 2)


def _division_by_zero(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.node("Conv", "x w", "a")
    sketch.constant("k", np.float32(0))
    sketch.node("Div", "a k", "y")


def _constant_that_does_not_fit(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.constant("shape", np.asarray([5, 5]))
    sketch.node("Reshape", "w shape", "a")
    sketch.node("Conv", "x a", "y")


def _linear_that_does_not_fit(sketch: Sketch) -> None:
    sketch.weights("w", 7, 5)
    sketch.node("MatMul", "x w", "y")


def _activation_of_absurd_size(sketch: Sketch) -> None:
    sketch.constant("scales", np.asarray([1, 1, 1e5, 1e5], np.float32))
    sketch.node("Resize", "x - scales", "y")


def _padding_of_absurd_size(sketch: Sketch) -> None:
    sketch.constant("pads", np.asarray([0, 0, 2**20, 2**20, 0, 0, 0, 0]))
    sketch.node("Pad", "x pads", "y")


def _constant_of_absurd_size(sketch: Sketch) -> None:
    sketch.constant("shape", np.asarray([2**20, 2**20]))
    sketch.node("ConstantOfShape", "shape", "a")
    sketch.node("Add", "x a", "y")


GRAPHS = {
    "Dimension mismatch in unification between 2 and 3": _norm_with_too_few_numbers,
    "its constant holds a zero": _division_by_zero,
    "Incompatible dimensions for matrix multiplication": _linear_that_does_not_fit,
    "expected at most 268435456 an image": _activation_of_absurd_size,
    "(Pad): writes 'y' of ": _padding_of_absurd_size,
    "(ConstantOfShape): writes 'a' of 1099511627776 numbers": _constant_of_absurd_size,
}


@pytest.mark.parametrize("expected", GRAPHS)
def test_graph_that_cannot_run(sketch: Sketch, expected: str) -> None:
    GRAPHS[expected](sketch)
    assert expected in refusal(sketch.save())


def external(path: Path, location: str) -> None:
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def outside(sketch: Sketch) -> Callable[[str], Path]:
    """Return a maker of files whose weights lie in the file that it is told."""

    def make(location: str) -> Path:
        sketch.weights("w", 2, 3, 1, 1)
        sketch.node("Conv", "x w", "y")
        path = sketch.save()
        external(path, location)
        return path

    return make


def test_weights_in_a_file_beside_the_model_are_read(outside: Callable[[str], Path]) -> None:
    path = outside("weights.bin")
    path.with_name("weights.bin").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    network = read_onnx(path)
    np.testing.assert_array_equal(network.layers[0].weight.reshape(-1), np.arange(6))
    path.with_name("weights.bin").write_bytes(np.ones(6, dtype=np.float32).tobytes())
    assert read_onnx(path).sha256 != network.sha256


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname", ""])
def test_weights_outside_the_folder_are_refused(outside: Callable[[str], Path], location: str) -> None:
    path = outside(location)
    (path.parent.parent / "weights.bin").write_bytes(bytes(24))
    assert "initializer 'w' lies outside the model's folder" in refusal(path)


def test_weights_that_are_missing_or_cut(outside: Callable[[str], Path]) -> None:
    path = outside("weights.bin")
    assert "initializer 'w': no such file 'weights.bin' beside the model" in refusal(path)
    path.with_name("weights.bin").write_bytes(bytes(10))
    assert "initializer 'w' is damaged" in refusal(path)


def test_initializer_of_the_wrong_size(sketch: Sketch) -> None:
    sketch.weights("w", 2, 3, 1, 1)
    sketch.constants["w"].dims[0] = 200
    sketch.node("Conv", "x w", "y")
    assert "initializer 'w' is damaged" in refusal(sketch.save())


def test_constants_that_do_not_fit(sketch: Sketch) -> None:
    sketch.weights("w", 3, 3, 1, 1)
    sketch.constant("shape", np.asarray([5, 5]))
    sketch.node("Reshape", "w shape", "a")
    sketch.node("Conv", "x a", "y")
    assert refusal(sketch.save()).startswith("node 'a' (Reshape): ")


def test_branches_that_give_too_little(sketch: Sketch) -> None:
    branch = helper.make_graph([], "b", [], [])
    sketch.constant("c", np.asarray(True))
    sketch.node("If", "c", "y", "choice", then_branch=branch, else_branch=branch)
    assert refusal(sketch.save()) == "node 'choice' (If): expected a then_branch that gives what it writes"


def test_damaged_bytes_give_a_network_or_one_clear_line(sketch: Sketch) -> None:
    sketch.weights("w", 2, 3, 1, 1)
    sketch.node("Conv", "x w", "a", "conv", pads=[1, 1, 1, 1])
    sketch.norm("a", "b", 2)
    sketch.node("Relu", "b", "c")
    sketch.node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2])
    sketch.constant("shape", np.asarray([0, -1]))
    sketch.node("Reshape", "d shape", "e")
    sketch.weights("v", 32, 2)
    sketch.node("Gemm", "e v", "y")
    whole = np.frombuffer(sketch.save(("n", 3, 6, 6)).read_bytes(), np.uint8)
    read_onnx(sketch.path)
    generator = np.random.default_rng(0)
    messages: list[str] = []
    for _ in range(800):
        damaged = whole.copy()
        places = generator.integers(0, len(whole), size=generator.integers(1, 4))
        damaged[places] = generator.integers(0, 256, size=len(places))
        sketch.path.write_bytes(damaged.tobytes())
        try:
            read_onnx(sketch.path)
        except ModelError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not [message for message in messages if "\n" in message]
