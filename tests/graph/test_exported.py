"""Networks of the well-known kinds, written by both of PyTorch's exporters, are read into few typed nodes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from qbench.graph import Attention, Conv, Foreign, LayerNorm, Linear, Select, Unary, read_onnx, to_onnx_bytes
from qbench.graph.outsource import outsource
from tests.graph.oracle import assert_close, feeds_of, outputs_of_file

FOLDER = Path(__file__).parent / "exported"
FILES = sorted(path.name for path in FOLDER.glob("*.onnx"))

FOREIGN: dict[str, set[str]] = {
    "bert": {"Add", "Gather", "Slice", "Unsqueeze", "Cast"},
    "inception": {"AveragePool", "Div", "Pad"},
    "odd": {"Greater", "InstanceNormalization", "PRelu", "Pad", "Sub", "Tile"},
    "packed": {"Transpose"},
    "vit": {"Add", "Concat", "Expand", "Gather", "Transpose"},
}
"""Operators that stay foreign, by network; the others have none."""

SHAPE_ARITHMETIC = {"Constant", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze", "Where", "Slice", "Concat"}


@pytest.mark.parametrize("name", FILES)
def test_exported_network_computes_the_same_when_it_is_written_back(name: str) -> None:
    path = FOLDER / name
    feeds = feeds_of(path)
    network = read_onnx(path)
    assert network.batch is None
    assert list(feeds) == list(network.inputs)
    assert_close(outputs_of_file(to_onnx_bytes(network), feeds), outputs_of_file(path, feeds))


@pytest.mark.parametrize("name", FILES)
def test_written_network_is_read_back_into_the_same_kinds(name: str, tmp_path: Path) -> None:
    network = read_onnx(FOLDER / name)
    path = tmp_path / name
    path.write_bytes(to_onnx_bytes(network))
    again = read_onnx(path)
    assert Counter(type(node) for node in again.nodes) == Counter(type(node) for node in network.nodes)
    assert [layer.name for layer in again.layers] == [layer.name for layer in network.layers]


@pytest.mark.parametrize("name", FILES)
def test_only_the_operators_that_have_no_typed_node_are_foreign(name: str) -> None:
    network = read_onnx(FOLDER / name)
    found = {operator for node in network.nodes if isinstance(node, Foreign) for operator in node.operators}
    kind = name.removesuffix(".onnx").rpartition("_")[0]
    assert found - SHAPE_ARITHMETIC <= FOREIGN.get(kind, set())
    assert bool(found) == (kind in FOREIGN)


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
@pytest.mark.parametrize(
    ("network", "functions"),
    [
        ("mobilenet_v3", {"hard_swish", "hard_sigmoid"}),
        ("efficientnet", {"silu", "sigmoid"}),
        ("pyramid", {"leaky_relu", "mish", "elu"}),
        ("odd", {"gelu", "gelu_tanh", "softplus", "exp"}),
        ("bert", {"gelu", "tanh"}),
    ],
)
def test_activations_are_recognized_however_they_are_spelled(network: str, functions: set[str], exporter: str) -> None:
    nodes = read_onnx(FOLDER / f"{network}_{exporter}.onnx").nodes
    assert {node.function for node in nodes if isinstance(node, Unary)} == functions


@pytest.mark.parametrize(
    ("network", "exporter", "masked"),
    [
        ("bert", "script", True),
        ("bert", "script13", True),
        ("bert", "dynamo", True),
        ("vit", "script", False),
        ("vit", "dynamo", False),
        ("vit", "dynamo23", False),
    ],
)
def test_transformers_units_are_recognized(network: str, exporter: str, masked: bool) -> None:
    read = read_onnx(FOLDER / f"{network}_{exporter}.onnx")
    attentions = [node for node in read.nodes if isinstance(node, Attention)]
    assert [(node.heads, node.mask is not None) for node in attentions] == [(4, masked)] * 2
    assert all(node.scale == pytest.approx(0.5, rel=1e-6) for node in attentions)
    assert sum(isinstance(node, LayerNorm) for node in read.nodes) == 5
    assert len(read.layers) == 12 + 2 * (network == "vit")


@pytest.mark.parametrize("name", FILES)
def test_nodes_without_steps_can_be_handed_to_another_library(name: str) -> None:
    path = FOLDER / name
    feeds = feeds_of(path)
    network = read_onnx(path)
    handed = outsource(network, keep=lambda node: isinstance(node, Conv | Linear))
    assert {type(node) for node in handed.nodes} <= {Conv, Linear, Foreign}
    assert [layer.name for layer in handed.layers] == [layer.name for layer in network.layers]
    assert len(handed.nodes) <= len(network.nodes)
    assert handed.shapes.keys() <= network.shapes.keys()
    assert_close(outputs_of_file(to_onnx_bytes(handed), feeds), outputs_of_file(path, feeds))


def test_nothing_changes_where_all_nodes_have_steps() -> None:
    network = read_onnx(FOLDER / "mobilenet_v3_script.onnx")
    assert outsource(network, keep=lambda node: True).nodes == network.nodes


@pytest.mark.parametrize("exporter", ["script", "dynamo"])
def test_attention_of_one_packed_product_is_recognized_behind_selected_channels(exporter: str) -> None:
    network = read_onnx(FOLDER / f"packed_{exporter}.onnx")
    (attention,) = (node for node in network.nodes if isinstance(node, Attention))
    selects = {node.output: node for node in network.nodes if isinstance(node, Select)}
    parts = [selects[name] for name in (attention.query, attention.key, attention.value)]
    assert [(part.channels[0], len(part.channels)) for part in parts] == [(0, 16), (16, 16), (32, 16)]
    assert {part.input for part in parts} == {"qkv"}


def test_inputs_of_whole_numbers_and_free_length_are_told() -> None:
    network = read_onnx(FOLDER / "bert_dynamo.onnx")
    assert network.inputs == ("ids", "mask", "kinds")
    assert [network.shapes[name] for name in network.inputs] == [(-1,)] * 3
    assert {network.dtypes[name] for name in network.inputs} == {"int64"}
    assert [network.shapes[name] for name in network.outputs] == [(-1, 16), (16,)]
    fixed = read_onnx(FOLDER / "bert_dynamo.onnx", shapes=dict.fromkeys(network.inputs, (12,)))
    assert [fixed.shapes[name] for name in fixed.outputs] == [(12, 16), (16,)]
