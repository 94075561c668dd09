"""What trials share is computed once; what each picks is decided by its spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from qbench.core.trial import Trial
from qbench.engine import FloatSession, build_session
from qbench.errors import DataError, MachineError, QBenchError, SuiteError
from qbench.graph import QuantizedNetwork, depth_weights
from qbench.metrics.tensor import sqnr_db
from qbench.peers.onnxruntime.fp32 import OnnxRuntimeFp32
from qbench.peers.onnxruntime.int8 import OnnxRuntimeInt8
from qbench.runner.networks.bench import Bench, Expected, peer
from qbench.runner.networks.kind import bench_of, network_jobs
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import Scored, batch_of, check_peer, ready_peers
from qbench.runner.timing.phases import Phases
from qbench.suite import Suite, load_suite
from qbench.zoo import Dataset
from tests.runner.conftest import small_network


def test_a_calibration_draw_is_observed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    draws: list[int] = []
    observe = FloatSession.observe

    def counted(*args: Any, **named: Any) -> Any:
        draws.append(1)
        return observe(*args, **named)

    monkeypatch.setattr(FloatSession, "observe", counted)
    assert bench.calibration.observations(16, 0).stats() is bench.calibration.observations(16, 0).stats()
    bench.calibration.observations(16, 1).stats()
    bench.calibration.observations(8, 0).stats()
    assert len(draws) == 3


def test_every_tensor_on_the_way_has_statistics(bench: Bench) -> None:
    found = bench.calibration.observations(16, 0).stats()
    assert set(found) >= {"images", "first", "second", "second:pre_add"}
    assert found["images"].count == 16 * 3 * 8 * 8
    assert found["first"].minimum == 0.0


def test_the_same_weights_are_quantized_once(bench: Bench) -> None:
    trials = [Trial("s", "small", "small", "all", spec, "minmax", calibration=16) for spec in ("w4c-a8t", "w4c-a4t")]
    first, second = (bench.quantized(trial, Phases(Clock())).weights for trial in trials)
    assert all(first[name] is second[name] for name in ("first", "second", "last"))


def test_weights_are_rows_of_channels_in_ohwi_order() -> None:
    layer = small_network().layers[1]
    rows = depth_weights(layer)
    assert rows.shape == (16, 144)
    np.testing.assert_array_equal(rows[3, :16], layer.weight[3, :, 0, 0])


def test_a_batch_larger_than_the_data_begins_again(bench: Bench) -> None:
    batch = batch_of(bench.inputs, 64)
    np.testing.assert_array_equal(batch[60:], bench.inputs[:4])


def test_a_peer_that_is_missing_leaves_a_remark(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxRuntimeInt8, "missing", lambda _: "not installed")
    peers, notes = ready_peers(bench, ["onnxruntime-fp32", "onnxruntime-int8"], batches=[1, 8])
    assert {batch: list(calls) for batch, calls in peers.items()} == {1: ["onnxruntime-fp32"], 8: ["onnxruntime-fp32"]}
    assert notes == ["not timed: onnxruntime-int8: not installed"]


def test_a_peer_that_simulates_is_handed_the_rows_own_network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Simulates(OnnxRuntimeInt8):
        precision = "simulated"

        def prepare(self, quantized: QuantizedNetwork, *, threads: int) -> Any:
            assert quantized is made
            return super().prepare(quantized, threads=threads)

    made = bench.quantized(Trial("s", "small", "small", "all", "w8c-a8t", "mse", calibration=16), Phases(Clock()))
    with build_session(made, threads=1) as session:
        right = session.run(bench.inputs)
    for room in ("networks.bench", "timing.network"):
        monkeypatch.setattr(f"qbench.runner.{room}.peer", lambda name: {"own": Simulates()}.get(name) or peer(name))
    peers, notes = ready_peers(bench, ["own"], batches=[8], row=Scored(made, right))
    assert (list(peers[8]), notes) == (["own"], [])
    _, notes = ready_peers(bench, ["own"], batches=[8], row=Scored(made, -right))
    assert "from those of the same codes here" in notes[0]
    for row in (None, Scored(QuantizedNetwork(bench.network), right)):
        assert ready_peers(bench, ["own"], batches=[8], row=row)[1][0].startswith("not timed: own: simulates rows of")


def test_the_independent_runtime_must_be_there(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OnnxRuntimeFp32, "missing", lambda _: "gone")
    with pytest.raises(MachineError, match="onnxruntime-fp32: gone"):
        _ = bench.answers


def test_a_peer_with_wrong_logits_is_not_timed(bench: Bench) -> None:
    expected = bench.expected_of("onnxruntime-int8", 16)
    logits, codes = expected.plain, expected.simulated
    assert codes is not None
    assert sqnr_db(logits, codes) > 20
    check_peer("onnxruntime-int8", codes * np.float32(1.05), expected)
    for wrong in (codes * 2, np.full_like(codes, np.nan)):
        with pytest.raises(QBenchError, match="from those of the same codes here, expected at least 20 dB"):
            check_peer("onnxruntime-int8", wrong, expected)
    with pytest.raises(QBenchError, match="from fp32's"):
        check_peer("onnxruntime-fp32", logits * np.float32(1.01), bench.expected_of("onnxruntime-fp32", 16))


def test_codes_far_from_fp32_are_held_against_themselves() -> None:
    generator = np.random.default_rng(0)
    plain, noise = (generator.normal(size=(64, 4)).astype(np.float32) for _ in range(2))
    expected = Expected(plain, plain + 0.5 * noise)
    check_peer("onnxruntime-int8", plain + 0.45 * noise, expected)
    for wrong in (np.zeros_like(plain), np.full_like(plain, 9)):
        with pytest.raises(QBenchError, match="expected at least 5 dB"):
            check_peer("onnxruntime-int8", wrong, expected)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((8, 8, 1), 4, "expects images of 3 x 8 x 8"),
        ((9, 8, 3), 4, "got 3 x 9 x 8"),
        ((8, 8, 3), 5, "distinguishes 4 classes"),
    ],
)
def test_images_that_do_not_fit_the_network_are_one_clear_line(
    suite_path: Path, tmp_path: Path, shape: tuple[int, ...], classes: int, message: str
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    np.savez(tmp_path / "other.npz", images=images, labels=np.arange(5) % classes)
    with pytest.raises(DataError, match=message):
        bench_of(load_suite(suite_path, overrides=[f"data={tmp_path}/other.npz"]))


def test_nobody_has_to_ask_for_fewer_calibration_samples_than_512(suite_path: Path) -> None:
    suite = load_suite(suite_path, overrides=("calibration={}",))
    made = bench_of(suite)
    assert made.references.samples == 16
    assert {job.trial.calibration for job in network_jobs(suite, made, "machine", False)} == {16}
    written = load_suite(suite_path, overrides=("calibration.samples=512",))
    with pytest.raises(DataError, match=r"expected 1..16 calibration samples, got 512"):
        network_jobs(written, bench_of(written), "machine", False)


def test_a_suite_takes_a_folder_of_images_with_the_words_of_the_command_line(suite_path: Path) -> None:
    folder = suite_path.parent / "pictures"
    for index in range(12):
        (folder / str(index % 3)).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(index).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / str(index % 3) / f"{index}.png")
    words = ("data=pictures", "mean=0.5", "std=[0.25, 0.5, 0.5]", "crop=8", "data_limit=5", "calibration={}")
    found = bench_of(load_suite(suite_path, overrides=words))
    assert isinstance(found.data, Dataset)
    assert (found.data.mean, found.data.std) == ((0.5, 0.5, 0.5), (0.25, 0.5, 0.5))
    assert (found.count, len(found.data.calibration), found.labelled) == (5, 3, True)
    with pytest.raises(SuiteError, match=r"got mean 127; divided by 255: mean 0.498"):
        load_suite(suite_path, overrides=("mean=127",))


def test_keys_that_there_were_not_always_leave_the_hash_of_other_suites_alone(suite: Suite) -> None:
    other = suite.model_copy(update={"mean": (0.5,)})
    assert suite.sha256 == "3202909b9552f827c300e14f5c7d3ff03b0ad3e2f5e658d04af92a7fbfcd2b06"
    assert other.sha256 != suite.sha256
