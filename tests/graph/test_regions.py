"""Channels last, windows of tokens and one dimension are seen so that their layers are typed, and compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qbench.graph import (
    Conv,
    Flatten,
    Foreign,
    ImageNorm,
    LayerNorm,
    Linear,
    Network,
    Pool,
    Unary,
    read_onnx,
    to_onnx_bytes,
)
from tests.graph.conftest import Sketch
from tests.graph.oracle import feeds_of, outputs_of_file

LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def same(path: Path) -> Network:
    """Read a file and check that it computes the same; inputs that were turned are fed turned."""
    network = read_onnx(path)
    feeds = feeds_of(path)
    expected = outputs_of_file(path, feeds)
    for name in filter(None, network.metadata.get("channels_last_inputs", "").split(", ")):
        feeds[name] = np.ascontiguousarray(feeds[name].transpose(FIRST))
    for found, other in zip(outputs_of_file(to_onnx_bytes(network), feeds), expected, strict=True):
        assert found.shape == other.shape
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-4)
    return network


def kinds(network: Network) -> list[type]:
    return [type(node) for node in network.nodes]


def gelu(sketch: Sketch, source: str, made: str) -> None:
    sketch.constant("root", np.float32(2**0.5))
    sketch.constant("one", np.float32(1))
    sketch.constant("half", np.float32(0.5))
    sketch.node("Div", f"{source} root", f"{made}1")
    sketch.node("Erf", f"{made}1", f"{made}2")
    sketch.node("Add", f"{made}2 one", f"{made}3")
    sketch.node("Mul", f"{source} {made}3", f"{made}4")
    sketch.node("Mul", f"{made}4 half", made)


def linear(sketch: Sketch, source: str, made: str, depth: int, width: int) -> None:
    sketch.weights(f"{made}.weight", depth, width)
    sketch.weights(f"{made}.bias", width)
    sketch.node("MatMul", f"{source} {made}.weight", f"{made}:p")
    sketch.node("Add", f"{made}.bias {made}:p", made)


def test_block_of_convnext_is_convolutions_and_a_normalization_of_pixels(sketch: Sketch) -> None:
    sketch.weights("dw", 8, 1, 7, 7)
    sketch.node("Conv", "x dw", "a", pads=[3] * 4, group=8)
    sketch.node("Transpose", "a", "t", perm=LAST)
    sketch.weights("scale", 8)
    sketch.weights("offset", 8)
    sketch.node("LayerNormalization", "t scale offset", "n", axis=-1)
    linear(sketch, "n", "m", 8, 32)
    gelu(sketch, "m", "g")
    linear(sketch, "g", "o", 32, 8)
    sketch.weights("gamma", 8)
    sketch.node("Mul", "gamma o", "q")
    sketch.node("Transpose", "q", "u", perm=FIRST)
    sketch.node("Add", "u x", "y")
    network = same(sketch.save(("n", 8, 8, 8)))
    assert kinds(network) == [Conv, ImageNorm, Conv, Unary, Conv]


def test_images_of_channels_last_go_in_channels_first(sketch: Sketch) -> None:
    sketch.constant("mean", np.asarray([0.1, 0.2, 0.3], np.float32))
    sketch.constant("two", np.float32(2))
    sketch.node("Sub", "x mean", "a")
    sketch.node("Mul", "a two", "b")
    sketch.node("Transpose", "b", "c", perm=FIRST)
    sketch.weights("w", 4, 3, 3, 3)
    sketch.node("Conv", "c w", "d")
    sketch.node("Relu", "d", "e")
    sketch.node("Transpose", "e", "f", perm=LAST)
    sketch.constant("flat", np.asarray([-1, 144]))
    sketch.node("Reshape", "f flat", "g")
    sketch.weights("fc", 144, 5)
    sketch.node("MatMul", "g fc", "y")
    network = same(sketch.save(("n", 8, 8, 3)))
    assert kinds(network) == [Conv, Flatten, Linear]
    assert network.input_shape == (3, 8, 8)
    assert network.metadata["channels_last_inputs"] == "x"


def test_products_over_pixels_are_products_over_tokens(sketch: Sketch) -> None:
    sketch.weights("scale", 8)
    sketch.weights("offset", 8)
    sketch.node("LayerNormalization", "x scale offset", "n", axis=-1)
    linear(sketch, "n", "m", 8, 16)
    gelu(sketch, "m", "g")
    linear(sketch, "g", "o", 16, 8)
    sketch.node("Add", "o x", "y")
    network = same(sketch.save(("n", 4, 6, 8)))
    assert [node for node in kinds(network) if node is not Foreign][:4] == [LayerNorm, Linear, Unary, Linear]
    assert [network.shapes[layer.output] for layer in network.layers] == [(24, 16), (24, 8)]


def test_products_over_windows_are_products_over_tokens(sketch: Sketch) -> None:
    cut = [("a", [-1, 2, 4, 2, 4, 8]), ("w", [-1, 16, 8]), ("d", [-1, 2, 2, 4, 4, 8]), ("f", [-1, 8, 8, 8])]
    for name, sizes in cut:
        sketch.constant(f"{name}.sizes", np.asarray(sizes))
    sketch.node("Reshape", "x a.sizes", "a")
    sketch.node("Transpose", "a", "b", perm=[0, 1, 3, 2, 4, 5])
    sketch.node("Reshape", "b w.sizes", "w")
    linear(sketch, "w", "q", 8, 24)
    linear(sketch, "q", "o", 24, 8)
    sketch.node("Reshape", "o d.sizes", "d")
    sketch.node("Transpose", "d", "e", perm=[0, 1, 3, 2, 4, 5])
    sketch.node("Reshape", "e f.sizes", "f")
    sketch.node("Add", "f x", "y")
    network = same(sketch.save(("n", 8, 8, 8)))
    assert [network.shapes[layer.output] for layer in network.layers] == [(64, 24), (64, 8)]
    assert all(isinstance(layer, Linear) and layer.bias.any() for layer in network.layers)


def test_tokens_that_are_flattened_with_the_batch_are_tokens(sketch: Sketch) -> None:
    sketch.constant("rows", np.asarray([-1, 8]))
    sketch.constant("back", np.asarray([-1, 16, 12]))
    sketch.node("Reshape", "x rows", "a")
    sketch.weights("w", 12, 8)
    sketch.weights("b", 12)
    sketch.node("Gemm", "a w b", "g", transB=1)
    sketch.node("Reshape", "g back", "y")
    assert kinds(same(sketch.save(("n", 16, 8)))) == [Linear]


def test_network_in_one_dimension_is_one_of_images_of_one_row(sketch: Sketch) -> None:
    sketch.weights("w", 8, 1, 9)
    sketch.node("Conv", "x w", "a", pads=[4, 4], strides=[2])
    sketch.norm("a", "b", 8)
    sketch.node("Relu", "b", "c")
    sketch.node("MaxPool", "c", "d", kernel_shape=[2], strides=[2])
    sketch.weights("w2", 8, 1, 3)
    sketch.node("Conv", "d w2", "e", pads=[2, 2], dilations=[2], group=8)
    sketch.node("Add", "e d", "f")
    sketch.node("GlobalAveragePool", "f", "h")
    sketch.node("Flatten", "h", "i")
    sketch.weights("fc", 8, 4)
    sketch.node("Gemm", "i fc", "y")
    network = same(sketch.save(("n", 1, 64)))
    assert kinds(network) == [Foreign, Conv, Pool, Conv, Pool, Flatten, Linear]
    assert network.foreign[0].operators == ("Reshape",)


def drawn(sketch: Sketch, seed: int) -> Path:
    """Draw a network that goes back and forth between channels last and first, with branches."""
    rng = np.random.default_rng(seed)
    tensors = {"x": True}  # tensor -> whether its channels are last
    names = iter(f"t{number}" for number in range(99))
    for _ in range(rng.integers(4, 12)):
        source = str(rng.choice(list(tensors)))
        last, made = tensors[source], next(names)
        match rng.integers(7):
            case 0 | 1:
                sketch.node("Transpose", source, made, perm=FIRST if last else LAST)
                last = not last
            case 2:
                sketch.node(str(rng.choice(["Relu", "Sigmoid", "Neg"])), source, made)
            case 3:
                sketch.weights(f"{made}.k", *((4,) if last else (4, 1, 1)))
                sketch.node(str(rng.choice(["Mul", "Add", "Sub"])), f"{source} {made}.k", made)
            case 4:
                sketch.weights(f"{made}.w", *((4, 4) if last else (4, 4, 1, 1)))
                sketch.node("MatMul" if last else "Conv", f"{source} {made}.w", made)
            case 5:
                other = str(rng.choice([name for name, where in tensors.items() if where == last]))
                sketch.node(str(rng.choice(["Add", "Mul"])), f"{source} {other}", made)
            case _:
                sketch.node("Softmax", source, made, axis=int(rng.integers(1, 4)))
        tensors[made] = last
    ends = [name for name in tensors if name != "x"][-2:]
    sketch.node("ReduceMean", f"{ends[0]}", "y", axes=[1, 2] if tensors[ends[0]] else [2, 3], keepdims=int(seed % 2))
    return sketch.save(("n", 5, 3, 4), outputs=f"y {ends[-1]}" if len(ends) > 1 else "y")


@pytest.mark.parametrize("seed", range(40))
def test_drawn_networks_compute_the_same_however_they_are_seen(sketch: Sketch, seed: int) -> None:
    same(drawn(sketch, seed))
