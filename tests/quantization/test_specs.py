"""What each layer and each tensor becomes is decided by rules, specs and where a tensor goes."""

from __future__ import annotations

from qbench.core.rules import edge_rules
from qbench.core.spec import parse_spec
from qbench.quantization import activation_specs, layer_specs
from tests.runner.conftest import small_network

TENSORS = ["images", "first", "second", "second:pre_add", "pooled"]


def test_edges_have_their_own_spec() -> None:
    specs = layer_specs(small_network(), "w4c-a4t", method="minmax", rules=edge_rules("w8c-a8t"))
    assert [spec.weights.format.bits for spec in specs.values()] == [8, 4, 8]


def test_a_width_means_what_the_method_says() -> None:
    specs = layer_specs(small_network(), "w4c-a32", method="linear_floor", only="second")
    assert list(specs) == ["second"]
    assert specs["second"].weights.format.qmin == 0


def test_the_whole_network_has_every_tensor_quantized() -> None:
    specs = dict.fromkeys(("first", "second", "last"), parse_spec("w4c-a4t"))
    found = activation_specs(small_network(), specs, TENSORS, default=parse_spec("w4c-a4t").activations)
    assert set(found) == set(TENSORS)


def test_a_tensor_takes_the_widest_spec_of_the_layers_that_it_enters() -> None:
    specs = dict.fromkeys(("first", "second", "last"), parse_spec("w4c-a4t")) | {"first": parse_spec("w8c-a8t")}
    found = activation_specs(small_network(), specs, TENSORS, default=parse_spec("w4c-a2t").activations)
    assert {name: spec.format.bits for name, spec in found.items()} == {
        "images": 8, "first": 4, "second": 2, "second:pre_add": 2, "pooled": 4,
    }  # fmt: skip


def test_a_single_layer_has_only_its_own_input_quantized() -> None:
    specs = {"second": parse_spec("w4c-a4t")}
    assert list(activation_specs(small_network(), specs, TENSORS, default=specs["second"].activations)) == ["first"]


def test_weights_alone_leave_all_activations_in_float() -> None:
    specs = dict.fromkeys(("first", "second", "last"), parse_spec("w4c-a32"))
    assert activation_specs(small_network(), specs, TENSORS, default=specs["first"].activations) == {}
