"""What trials share is computed once; what each picks is decided by its spec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qbench.core.spec import parse_spec
from qbench.errors import DataError, MachineError
from qbench.graph import depth_weights
from qbench.peers.onnxruntime.int8 import OnnxRuntimeInt8
from qbench.runner import workbench as workbench_module
from qbench.runner.timing.network import batch_of, check_peer, ready_peers
from qbench.runner.workbench import Workbench, activation_specs, layer_specs
from qbench.suite import load_suite
from tests.runner.conftest import small_network

TENSORS = ["images", "first", "second", "second:pre_add", "pooled"]


def test_a_calibration_draw_is_observed_once(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    draws: list[int] = []
    observe = workbench_module.calibrate

    def counted(*args: object, **named: object) -> object:
        draws.append(1)
        return observe(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(workbench_module, "calibrate", counted)
    assert bench.stats(16, 0) is bench.stats(16, 0)
    bench.stats(16, 1)
    bench.stats(8, 0)
    assert len(draws) == 3


def test_every_tensor_on_the_way_has_statistics(bench: Workbench) -> None:
    found = bench.stats(16, 0)
    assert set(found) >= {"images", "first", "second", "second:pre_add"}
    assert found["images"].count == 16 * 3 * 8 * 8
    assert found["first"].minimum == 0.0


def test_the_same_weights_are_quantized_once(bench: Workbench) -> None:
    specs = layer_specs(bench.network, "all", spec="w4c-a8t", edges="", name="minmax")
    other = layer_specs(bench.network, "all", spec="w4c-a4t", edges="", name="minmax")
    first, second = (bench.weights(chosen, "minmax", seed=0) for chosen in (specs, other))
    assert all(first[name] is second[name] for name in ("first", "second", "last"))


def test_weights_are_rows_of_channels_in_ohwi_order() -> None:
    layer = small_network().layers[1]
    rows = depth_weights(layer)
    assert rows.shape == (16, 144)
    np.testing.assert_array_equal(rows[3, :16], layer.weight[3, :, 0, 0])


def test_edges_have_their_own_spec() -> None:
    specs = layer_specs(small_network(), "all", spec="w4c-a4t", edges="w8c-a8t", name="minmax")
    assert [spec.weights.format.bits for spec in specs.values()] == [8, 4, 8]


def test_a_width_means_what_the_method_says() -> None:
    specs = layer_specs(small_network(), "second", spec="w4c-a32", edges="", name="linear_floor")
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


def test_a_batch_larger_than_the_data_begins_again(bench: Workbench) -> None:
    batch = batch_of(bench.inputs, 64)
    np.testing.assert_array_equal(batch[60:], bench.inputs[:4])


def test_a_peer_that_is_missing_leaves_a_remark(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxRuntimeInt8, "supports", lambda _: "not installed")
    peers, notes = ready_peers(bench, ["onnxruntime-fp32", "onnxruntime-int8"], batches=[1, 8])
    assert {batch: list(calls) for batch, calls in peers.items()} == {1: ["onnxruntime-fp32"], 8: ["onnxruntime-fp32"]}
    assert notes == ["not timed: onnxruntime-int8: not installed"]


def test_the_independent_runtime_must_be_there(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qbench.peers.onnxruntime.fp32.missing", lambda: "gone")
    with pytest.raises(MachineError, match="onnxruntime-fp32: gone"):
        _ = bench.answers


def test_a_peer_with_wrong_logits_is_not_timed(bench: Workbench) -> None:
    logits = bench.answers.logits
    check_peer("onnxruntime-int8", logits * np.float32(1.1), logits)
    for wrong in (logits * 2, np.full_like(logits, np.nan)):
        with pytest.raises(Exception, match="from fp32's"):
            check_peer("onnxruntime-int8", wrong, logits)
    with pytest.raises(Exception, match="from fp32's"):
        check_peer("onnxruntime-fp32", logits * np.float32(1.01), logits)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [((8, 8, 1), 4, "expects images of 3 x 8 x 8"), ((9, 8, 3), 4, "got 3 x 9 x 8"), ((8, 8, 3), 5, "tells 4 classes")],
)
def test_images_that_do_not_fit_the_network_are_one_clear_line(
    suite_path: Path, tmp_path: Path, shape: tuple[int, ...], classes: int, message: str
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    np.savez(tmp_path / "other.npz", images=images, labels=np.arange(5) % classes)
    with pytest.raises(DataError, match=message):
        Workbench(load_suite(suite_path, overrides=[f"data={tmp_path}/other.npz"]))
