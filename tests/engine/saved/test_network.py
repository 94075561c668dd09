"""A saved network: read again it gives the same bits; whatever is wrong with its files is one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbench.core.formats import Binary, Codebook, NumberFormat, PowerOfTwo, Ternary, Uniform
from qbench.core.tensor import Floats
from qbench.engine import build_session
from qbench.engine.saved.codes import pack_codes, packed_size, unpack_codes
from qbench.engine.saved.network import JSON_NAME, TENSORS_NAME, _hash, load_network, save_network
from qbench.errors import ModelError
from qbench.graph import Network, QuantizedNetwork
from qbench.methods import ActivationStats
from tests.engine.conftest import quantized

FORMATS: dict[str, tuple[NumberFormat, int, int]] = {
    **{f"s{bits}": (Uniform(bits), -(1 << (bits - 1)), (1 << (bits - 1)) - 1) for bits in range(1, 9)},
    **{f"u{bits}": (Uniform(bits, signed=False, symmetric=False), 0, (1 << bits) - 1) for bits in (1, 3, 8)},
    "narrow": (Uniform(8, narrow=True), -127, 127),
    "ternary": (Ternary(), -1, 1),
    "binary": (Binary(), -1, 1),
    "pot": (PowerOfTwo(4), 0, 15),
    "codebook": (Codebook(5), 0, 31),
}


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data(), count=st.integers(0, 70))
def test_codes_come_back_from_just_so_many_bits(name: str, data: st.DataObject, count: int) -> None:
    kind, low, high = FORMATS[name]
    codes = np.array(data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count)), np.int16)
    if isinstance(kind, Binary):
        codes = np.where(codes > 0, 1, -1).astype(np.int16)
    stream = pack_codes(codes, kind)
    assert stream.size == packed_size(count, kind) == -(-count * kind.bits // 8)
    np.testing.assert_array_equal(unpack_codes(stream, (count,), kind), codes)


def test_long_streams_are_folded_in_pieces() -> None:
    codes = np.random.default_rng(0).integers(-4, 4, (1031, 2049)).astype(np.int16)
    np.testing.assert_array_equal(unpack_codes(pack_codes(codes, Uniform(3)), codes.shape, Uniform(3)), codes)


def test_a_code_outside_its_format_is_not_written() -> None:
    with pytest.raises(ValueError, match=r"codes 0\.\.16 do not fit 4 bits"):
        pack_codes(np.array([-8, 8], np.int16), Uniform(4))


def test_a_fourth_ternary_code_is_not_read() -> None:
    with pytest.raises(ValueError, match="ternary code"):
        unpack_codes(np.array([3], np.uint8), (1,), Ternary())


KINDS = [
    ("w8c-a8t", "mse"), ("w8t-a8t", "linear_floor"), ("w4g32-a8t", "mse"), ("w3c-a5t", "minmax"),
    ("wtc-att", "ternary"), ("wbc-abt", "binary"), ("w4potc-a8t", "pot"), ("w4kmc-a8t", "kmeans"),
    ("w4c-a32", "mse"), ("w32-a8t", "mse"), ("w4g32-a8t", "mxfp4"),
]  # fmt: skip


@pytest.mark.parametrize(("token", "method"), KINDS)
def test_a_network_that_was_read_again_gives_the_same_bits(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats], tmp_path: Path, token: str, method: str
) -> None:
    weights, activations = quantized(network, stats, token, method)
    written = save_network(tmp_path, QuantizedNetwork(network, weights, activations), facts={"spec": token, "seed": 0})
    saved = load_network(tmp_path)
    assert saved.facts == {"spec": token, "seed": 0}
    assert written == saved.disk_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    before = build_session(QuantizedNetwork(network, weights, activations), threads=1)
    after = saved.session(threads=1)
    assert after.execution == before.execution
    assert after.kernels == before.kernels
    assert after.run(images[:4]).tobytes() == before.run(images[:4]).tobytes()


@pytest.mark.parametrize(("token", "method"), [("w8c-a8t", "mse"), ("w3c-a5t", "minmax"), ("wtc-att", "ternary")])
def test_codes_and_what_they_stand_for_come_back(
    network: Network, stats: Mapping[str, ActivationStats], tmp_path: Path, token: str, method: str
) -> None:
    weights, activations = quantized(network, stats, token, method)
    save_network(tmp_path, QuantizedNetwork(network, weights, activations), facts={})
    saved = load_network(tmp_path)
    for layer in saved.network.layers:
        np.testing.assert_array_equal(saved.quantized.weights[layer.name].codes, weights[layer.name].codes)
        ohwi = layer.weight.transpose(0, 2, 3, 1) if layer.weight.ndim == 4 else layer.weight
        np.testing.assert_array_equal(ohwi.reshape(len(ohwi), -1), weights[layer.name].dequantize())


def test_a_network_that_was_read_holds_its_codes_at_their_width(
    network: Network, stats: Mapping[str, ActivationStats], tmp_path: Path
) -> None:
    weights, activations = quantized(network, stats, "w4c-a8t", "mse")
    save_network(tmp_path, QuantizedNetwork(network, weights, activations), facts={})
    stored = (tmp_path / TENSORS_NAME).stat().st_size
    saved = load_network(tmp_path)
    streams = saved.quantized.weights._stored.values()  # type: ignore[attr-defined]
    assert sum(codes.stream.nbytes for codes in streams) < stored
    assert all(layer.weight.strides == (0,) * layer.weight.ndim for layer in saved.quantized.network.layers)


def test_half_of_a_network_may_stay_in_float(
    network: Network, images: Floats, stats: Mapping[str, ActivationStats], tmp_path: Path
) -> None:
    weights, _ = quantized(network, stats, "w4c-a8t", "mse")
    some = dict(list(weights.items())[::2])
    save_network(tmp_path, QuantizedNetwork(network, some, {}), facts={})
    saved = load_network(tmp_path)
    assert list(saved.quantized.weights) == list(some)
    before = build_session(QuantizedNetwork(network, some, {}), threads=1).run(images[:2])
    assert saved.session(threads=1).run(images[:2]).tobytes() == before.tobytes()


def test_the_files_are_little_more_than_the_packed_codes(
    network: Network, stats: Mapping[str, ActivationStats], tmp_path: Path
) -> None:
    sizes = {}
    for token in ("w8c-a8t", "w4c-a8t", "w2c-a8t"):
        weights, activations = quantized(network, stats, token, "mse")
        save_network(tmp_path, QuantizedNetwork(network, weights, activations), facts={})
        biases = sum(layer.bias.nbytes for layer in network.layers)
        packed = sum(codes.packed_bytes for codes in weights.values()) + biases
        sizes[token] = (tmp_path / TENSORS_NAME).stat().st_size
        assert packed <= sizes[token] <= packed + 8192
    assert sizes["w4c-a8t"] < 0.56 * sizes["w8c-a8t"]


@pytest.fixture
def folder(network: Network, stats: Mapping[str, ActivationStats], tmp_path: Path) -> Path:
    weights, activations = quantized(network, stats, "w8c-a8t", "mse")
    save_network(tmp_path / "saved", QuantizedNetwork(network, weights, activations), facts={})
    return tmp_path / "saved"


def _change(folder: Path, change: Callable[[dict[str, Any]], object], *, hashed: bool = True) -> None:
    path = folder / JSON_NAME
    document = json.loads(path.read_text())
    change(document)
    if hashed:
        document["sha256"] = _hash(document)
    path.write_text(json.dumps(document))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tensors": (lambda at: (at / TENSORS_NAME).unlink(), "found no network.safetensors in it"),
    "no json": (lambda at: (at / JSON_NAME).unlink(), "found no network.json in it"),
    "tensors cut": (lambda at: _cut(at / TENSORS_NAME), "as network.json says, got"),
    "json cut": (lambda at: _cut(at / JSON_NAME), "damaged or cut short"),
    "tensors flipped": (lambda at: _flip(at / TENSORS_NAME), "damaged, or of another network"),
    "another file": (lambda at: (at / JSON_NAME).write_text("[]"), "got another file"),
    "binary json": (lambda at: (at / JSON_NAME).write_bytes(b"\xff\x00"), "damaged or cut short"),
    "edited": (
        lambda at: _change(at, lambda d: d["facts"].update(seed=1), hashed=False),
        "damaged or changed by hand",
    ),
    "newer": (lambda at: _change(at, lambda d: d.update(version=2)), "expected version 1 of the format, got 2"),
    "layer gone": (lambda at: _change(at, lambda d: d["nodes"].pop(0)), "is no layer of the network"),
    "unknown node": (lambda at: _change(at, lambda d: d["nodes"][0].update({"is": "Magic"})), "unknown kind 'Magic'"),
    "field gone": (lambda at: _change(at, lambda d: d["nodes"][0].pop("pads")), "Conv: expected the fields"),
    "shape": (lambda at: _change(at, lambda d: d["weights"]["stem"].update(shape=[16, 28])), "for 448 codes of 8 bits"),
    "tensor gone": (
        lambda at: _change(at, lambda d: d["weights"]["stem"].update(codes={"array": "none"})),
        "tensor 'none' is missing",
    ),
    "input shape": (
        lambda at: _change(at, lambda d: d["network"]["shapes"]["map"].update(images=[3, 64, 64])),
        "expected an output (16, 64, 64), got (16, 32, 32)",
    ),
    "stride": (
        lambda at: _change(at, lambda d: d["nodes"][0].update(strides=[2, 2])),
        "node 'stem': expected an output",
    ),
    "fewer biases": (lambda at: _change(at, lambda d: d["nodes"][0].update(bias={"zeros": [3]})), "expected 16 biases"),
    "order": (lambda at: _change(at, lambda d: d["nodes"].reverse()), "which nothing before it writes"),
    "scales": (
        lambda at: _change(at, lambda d: d["weights"]["stem"]["params"].update(scale={"zeros": [3]})),
        "differ in shape",
    ),
    "unknown tensor": (
        lambda at: _change(at, lambda d: d["activations"].update(none=d["activations"]["images"])),
        "parameters of 'none', which is no tensor",
    ),
    "not an array": (lambda at: _change(at, lambda d: d["weights"]["stem"].update(codes=7)), "expected a network"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_with_the_files_is_one_line(folder: Path, damage: str) -> None:
    break_it, message = DAMAGES[damage]
    break_it(folder)
    with pytest.raises(ModelError) as refusal:
        load_network(folder)
    assert message in str(refusal.value)
    assert str(folder) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_tensors_of_another_network_are_refused(
    network: Network, stats: Mapping[str, ActivationStats], folder: Path, tmp_path: Path
) -> None:
    weights, activations = quantized(network, stats, "w8c-a8t", "minmax")
    save_network(tmp_path / "other", QuantizedNetwork(network, weights, activations), facts={})
    (tmp_path / "other" / TENSORS_NAME).replace(folder / TENSORS_NAME)
    with pytest.raises(ModelError, match=r"damaged, or of another network|as network\.json says"):
        load_network(folder)


def test_a_folder_that_cannot_be_written_is_one_line(network: Network, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write the network"):
        save_network(tmp_path / "file", QuantizedNetwork(network, {}, {}), facts={})


def test_metadata_and_shapes_survive(network: Network, tmp_path: Path) -> None:
    named = replace(network, metadata={"top1_percent": "12.5", "odd\n": "x"})
    save_network(tmp_path, QuantizedNetwork(named, {}, {}), facts={})
    found = load_network(tmp_path).network
    assert (found.metadata, found.shapes, found.sha256) == (named.metadata, named.shapes, named.sha256)
    assert [type(node) for node in found.nodes] == [type(node) for node in named.nodes]
