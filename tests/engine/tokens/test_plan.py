"""Transformers as plans: linear layers in integers, everything between them in float32, in one compiled program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from qbench.core.formats import Uniform
from qbench.core.tensor import Floats, QParams, QTensor
from qbench.engine import FloatSession, Session, build_session
from qbench.engine.saved.network import load_network, save_network
from qbench.errors import DataError, ModelError
from qbench.graph import Linear, Network, QuantizedNetwork, inputs_of, qdq_onnx_bytes, read_onnx, to_onnx_bytes
from qbench.graph.embedding import embedding_of
from qbench.graph.nodes import Add, Attention, Foreign, LayerNorm, TokenMean, Unary
from qbench.kernels.tokens import reference
from qbench.methods import ActivationObserver, ActivationStats, fake_quantize
from tests.engine.conftest import Quantized, quantized
from tests.engine.encoder import TOKENS, WORDS, encoder, ids
from tests.graph.oracle import outputs_of_file

EXPORTED = Path(__file__).parents[2] / "graph" / "exported"
Doubles = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def seen(text: Network) -> dict[str, ActivationStats]:
    return calibrated(text, ids(32, seed=1))


def calibrated(network: Network, inputs: npt.NDArray[Any]) -> dict[str, ActivationStats]:
    observers: dict[str, ActivationObserver] = {}

    def tap(name: str, values: Floats) -> None:
        observers.setdefault(name, ActivationObserver()).update(values)

    FloatSession(network, threads=1).run(inputs, tap=tap)
    return {name: observer.finish() for name, observer in observers.items()}


def by_onnxruntime(network: Network, inputs: npt.NDArray[Any]) -> Floats:
    session = onnxruntime.InferenceSession(to_onnx_bytes(network), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {network.input: inputs})[0])


def noise_db(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> float:
    noise = np.square(np.asarray(found, np.float64) - expected).sum()
    return float(10 * np.log10(np.square(np.asarray(expected, np.float64)).sum() / max(noise, 1e-300)))


def simulated(
    network: Network, inputs: npt.NDArray[Any], weights: Mapping[str, QTensor], activations: Mapping[str, QParams]
) -> Doubles:
    """Return the logits of the quantized network in float64: what enters a linear layer or an attention is rounded."""
    known: dict[str, npt.NDArray[Any]] = {network.input: inputs}
    for node in network.nodes:
        reads = [known[tensor] for tensor in inputs_of(node)]
        match node:
            case Foreign():
                found = embedding_of(node)
                assert found is not None
                made = found.table[reads[0]].astype(np.float64) + found.places
            case Linear():
                reals = reads[0].astype(np.float64)
                if node.input in activations:
                    reals = fake_quantize(reads[0], activations[node.input]).astype(np.float64)
                codes = weights.get(node.name)
                weight = node.weight if codes is None else codes.dequantize()
                made = reals @ weight.T.astype(np.float64) + node.bias
            case LayerNorm():
                made = reference.layer_norm(reads[0], node.scale, node.offset, node.epsilon)
            case Unary():
                made = reference.gelu(reads[0])
            case Attention():
                made = attended(node, [x.astype(np.float64) for x in reads], activations)
            case Add():
                made = reads[0] + reads[1]
            case TokenMean():
                made = reads[0].mean(axis=1)
            case _:
                raise AssertionError(node)
        known[node.output] = made
    return known[network.output]


def attended(node: Attention, reads: list[Doubles], activations: Mapping[str, QParams]) -> Doubles:
    """Return an attention in float64: of 8 bits with the weights of its keys rounded to 255ths of the largest."""
    params = [activations.get(tensor) for tensor in inputs_of(node)]
    eight = [one for one in params if one is not None and isinstance(one.spec.format, Uniform)]
    if len(eight) < 3 or eight[0].spec.format.bits < 8:
        return reference.attention(reads[0], reads[1], reads[2], heads=node.heads, scale=node.scale)
    q, k, v = (
        fake_quantize(x.astype(np.float32), one).astype(np.float64).reshape(*x.shape[:2], node.heads, -1).swapaxes(1, 2)
        for x, one in zip(reads, eight, strict=True)
    )
    scores = q @ k.swapaxes(2, 3) * node.scale
    weights = np.rint(255 * np.exp(scores - scores.max(axis=-1, keepdims=True)))
    mixed = (weights / weights.sum(axis=-1, keepdims=True)) @ v
    return np.asarray(mixed.swapaxes(1, 2).reshape(reads[0].shape))


def test_float_encoder_answers_as_onnxruntime_does(text: Network) -> None:
    inputs = ids(7)
    session = FloatSession(text, threads=2)
    assert noise_db(by_onnxruntime(text, inputs), session.run(inputs)) > 110
    assert all("onnxruntime" not in step.kind for step in session.plan.steps)


@pytest.mark.parametrize("name", ["vit_script", "vit_dynamo", "packed_script"])
def test_image_transformers_run_with_what_has_no_step_through_onnxruntime(name: str) -> None:
    network = read_onnx(EXPORTED / f"{name}.onnx")
    images = np.random.default_rng(0).standard_normal((5, *network.input_shape), dtype=np.float32)
    session = FloatSession(network, threads=2)
    assert noise_db(by_onnxruntime(network, images), session.run(images)) > 100
    foreign = [step for step in session.plan.steps if step.kind.endswith("/onnxruntime")]
    assert foreign
    assert all(step.operations == 0 for step in foreign)
    assert session.kernels["patches"].startswith("conv_f32_f32")


def test_calibration_shows_what_enters_a_layer(text: Network, seen: Mapping[str, ActivationStats]) -> None:
    multiplied = {
        tensor for node in text.nodes if isinstance(node, Attention) for tensor in (node.query, node.key, node.value)
    }
    assert seen.keys() == {layer.input for layer in text.layers} | multiplied


@pytest.mark.parametrize("token", ["w8c-a8t", "w4c-a8t", "w4g16-a8t", "w3c-a4t"])
def test_integer_encoder_follows_a_simulation_in_float64(
    text: Network, seen: Mapping[str, ActivationStats], token: str
) -> None:
    weights, activations = quantized(text, seen, token, "mse")
    session = build_session(QuantizedNetwork(text, weights, activations))
    assert session.execution == "integer"
    assert session.kernels.keys() == weights.keys()
    floats = token == "w3c-a4t"  # attention is integer with 8 bits only
    assert ("2 attention_f32_u8" in session.execution_reason) == floats
    assert (0.8 if floats else 0.98) < session.integer_share < 1
    inputs = ids(32)
    expected, found = simulated(text, inputs, weights, activations), session.run(inputs)
    # a number on the edge of two codes may fall on either side; the others agree to float32
    apart = np.abs(found - expected).max(axis=1) / np.abs(expected).max()
    assert np.median(apart) < (0.02 if token == "w3c-a4t" else 2e-3)
    assert noise_db(expected, found) > (25 if token == "w3c-a4t" else 45)


@pytest.mark.parametrize(("token", "method"), [("wt-a8t", "ternary"), ("wt-at", "ternary"), ("wb-ab", "binary")])
def test_ternary_and_binary_layers_run_in_integers_too(
    text: Network, seen: Mapping[str, ActivationStats], token: str, method: str
) -> None:
    weights, activations = quantized(text, seen, token, method)
    session = build_session(QuantizedNetwork(text, weights, activations), threads=1)
    assert session.execution == "integer"
    inputs = ids(24)
    expected, found = simulated(text, inputs, weights, activations), session.run(inputs)
    assert np.median(np.abs(found - expected).max(axis=1)) / np.abs(expected).max() < 0.05


@pytest.mark.parametrize(
    ("token", "method", "execution", "reason"),
    [
        ("w4c-a32", "mse", "dequantized", "activations stay in float32"),
        ("w32-a8t", "mse", "simulated", "weights stay in float32"),
        ("w4kmc-a8t", "kmeans", "simulated", "no whole numbers"),
        ("w4logc-a4logt", "log", "simulated", "levels"),
    ],
)
def test_what_cannot_run_in_integers_says_so_and_follows_the_simulation(
    text: Network, seen: Mapping[str, ActivationStats], token: str, method: str, execution: str, reason: str
) -> None:
    weights, activations = quantized(text, seen, token, method)
    session = build_session(QuantizedNetwork(text, weights, activations))
    assert session.execution == execution
    assert reason in session.execution_reason
    inputs = ids(16)
    expected = simulated(text, inputs, weights, activations)
    apart = np.abs(session.run(inputs) - expected).max(axis=1) / np.abs(expected).max()
    assert np.median(apart) < (1e-4 if token == "w4c-a32" else 0.02)


def test_layers_without_codes_stay_in_float_beside_integer_ones(
    text: Network, seen: Mapping[str, ActivationStats]
) -> None:
    weights, activations = quantized(text, seen, "w8c-a8t", "mse")
    kept = dict(list(weights.items())[:-1])
    session = build_session(QuantizedNetwork(text, kept, activations))
    assert session.execution == "mixed"
    assert session.reasons == {"head": "layer 'head' keeps float32 weights"}
    assert session.kernels["head"].startswith("conv_f32_f32")
    entered = {tensor: p for tensor, p in activations.items() if tensor != text.layers[-1].input}
    assert noise_db(simulated(text, ids(8), kept, entered), session.run(ids(8))) > 45


@pytest.fixture(scope="module")
def whole(text: Network, seen: Mapping[str, ActivationStats]) -> Callable[..., Session]:
    weights, activations = quantized(text, seen, "w8c-a8t", "minmax")

    def make(**how: Any) -> Session:
        return build_session(QuantizedNetwork(text, weights, activations), **how)

    return make


@pytest.mark.parametrize("variant", ["portable", "auto"])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_variant_batch_and_number_of_threads_gives_the_same_bits(
    whole: Callable[..., Session], variant: str, threads: int
) -> None:
    inputs = ids(19)
    expected = whole(threads=1).run(inputs)
    session = whole(threads=threads, variant=variant)
    assert np.array_equal(session.run(inputs), expected)
    for size in (1, 3, 8):
        parts = [session.run(inputs[i : i + size]) for i in range(0, len(inputs), size)]
        assert np.array_equal(np.concatenate(parts), expected)
    assert session.run(inputs[:0]).shape == (0, 5)


def test_ids_beyond_the_table_and_other_shapes_are_refused_in_one_line(whole: Callable[..., Session]) -> None:
    session = whole()
    wrong = ids(2)
    wrong[1, 3] = WORDS
    with pytest.raises(DataError, match=f"expected ids of 0..{WORDS - 1}, got"):
        session.run(wrong)
    wrong[1, 3] = -1
    with pytest.raises(DataError, match=r"got -1\.\."):
        session.run(wrong)
    with pytest.raises(DataError, match=rf"got \(2, {TOKENS - 1}\)"):
        session.run(ids(2)[:, 1:])


def test_failure_inside_another_library_is_raised_after_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    network = read_onnx(EXPORTED / "vit_script.onnx")
    session = FloatSession(network, threads=2)
    images = np.zeros((3, *network.input_shape), np.float32)
    expected = session.run(images)
    from onnxruntime import InferenceSession

    def broken(self: InferenceSession, binding: object) -> None:
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patched:
        patched.setattr(InferenceSession, "run_with_iobinding", broken)
        with pytest.raises(ModelError, match=r"node 'foreign' \(.*\): onnxruntime failed: on purpose"):
            session.run(images)
    assert np.array_equal(session.run(images), expected)


def test_quantized_image_transformer_stays_near_the_float_one() -> None:
    network = read_onnx(EXPORTED / "vit_script.onnx")
    images = np.random.default_rng(3).standard_normal((6, *network.input_shape), dtype=np.float32)
    weights, activations = quantized(network, calibrated(network, images), "w8c-a8t", "minmax")
    session = build_session(QuantizedNetwork(network, weights, activations))
    assert session.execution == "integer"
    assert "through onnxruntime" in session.execution_reason
    assert session.kernels["patches"].startswith("conv_u8")
    assert 0.8 < session.integer_share < 1
    assert noise_db(by_onnxruntime(network, images), session.run(images)) > 20


@pytest.mark.parametrize("token", ["w32-a32", "w8c-a8t", "w4kmc-a8t"])
def test_tokens_may_be_the_input_themselves(token: str) -> None:
    rng = np.random.default_rng(4)

    def numbers(*shape: int) -> Floats:
        return (rng.standard_normal(shape) * 0.3).astype(np.float32)

    nodes = (
        Linear("wide", "rows", "wide", numbers(20, 9), numbers(20)),
        LayerNorm("norm", "wide", "norm", numbers(20) + 1, numbers(20), 1e-5),
        TokenMean("mean", "norm", "mean"),
        Linear("head", "mean", "head", numbers(3, 20), numbers(3)),
    )
    shapes = {"rows": (7, 9), "wide": (7, 20), "norm": (7, 20), "mean": (20,), "head": (3,)}
    network = Network("rows", "rows", (7, 9), "head", nodes, shapes, {}, "")
    rows = rng.standard_normal((5, 7, 9), dtype=np.float32)
    stats = calibrated(network, rows)
    weights, activations = quantized(network, stats, token, "kmeans" if "km" in token else "minmax")
    session = build_session(QuantizedNetwork(network, weights, activations))
    assert noise_db(simulated(network, rows, weights, activations), session.run(rows)) > (100 if "32" in token else 40)


def test_saved_encoder_gives_the_same_bits(text: Network, seen: Mapping[str, ActivationStats], tmp_path: Path) -> None:
    weights, activations = quantized(text, seen, "w4g16-a8t", "mse")
    save_network(tmp_path / "out", QuantizedNetwork(text, weights, activations), facts={})
    again = load_network(tmp_path / "out").session()
    assert again.execution == "integer"
    assert np.array_equal(again.run(ids(5)), build_session(QuantizedNetwork(text, weights, activations)).run(ids(5)))


def test_other_libraries_take_the_encoder_as_qdq(text: Network, seen: Mapping[str, ActivationStats]) -> None:
    made: Quantized = quantized(text, seen, "w8c-a8t", "minmax")
    content = qdq_onnx_bytes(QuantizedNetwork(text, made[0], made[1]))
    found = np.asarray(outputs_of_file(content, {text.input: ids(16)})[0])
    own = build_session(QuantizedNetwork(text, *made)).run(ids(16))
    assert noise_db(by_onnxruntime(text, ids(16)), found) > 20
    assert noise_db(found, own) > 25


def test_profile_names_every_step_once(whole: Callable[..., Session]) -> None:
    ticks = iter(range(10**6))
    rows = whole(threads=1).profile(ids(2), timer=lambda: float(next(ticks)), repeats=2)
    names = [str(row["name"]) for row in rows]
    assert len(set(names)) == len(names)
    assert all(row["median_s"] == 1.0 for row in rows)
