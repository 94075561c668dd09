"""Attention with masks, biases of places and windows: written, read again, run in float32 and on codes, and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from qbench.core.rules import Rule
from qbench.engine import FloatSession, build_session
from qbench.engine.saved.network import load_network, save_network
from qbench.graph import Linear, Network, QuantizedNetwork, read_onnx, to_onnx_bytes
from qbench.graph.nodes import Attention, Floats
from qbench.quantization import Observations, assigned
from qbench.quantization.per_layer import PerLayer

HEADS, DEPTH, TOKENS = 2, 8, 6
CHANNELS = HEADS * DEPTH


def network(*, bias: Floats | None = None, windows: int = 1, masked: bool = False) -> Network:
    rng, tokens = np.random.default_rng(0), windows * TOKENS
    weights = rng.standard_normal((4, CHANNELS, CHANNELS), dtype=np.float32) / 3
    layers = [
        Linear(name, source, name, weight, np.zeros(CHANNELS, np.float32))
        for name, source, weight in zip("qkvo", ("x", "x", "x", "mixed"), weights, strict=True)
    ]
    mask = "mask" if masked else None
    mixed = Attention("mixed", "q", "k", "v", mask, "mixed", HEADS, DEPTH**-0.5, bias, windows)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("x", "q", "k", "v", "mixed", "o"), (tokens, CHANNELS))
    inputs = ("x",)
    if masked:
        inputs, shapes["mask"] = ("x", "mask"), (1, tokens, tokens)
    nodes = (*layers[:3], mixed, layers[3])
    return Network("windows", "x", shapes["x"], "o", nodes, shapes, {}, "", inputs=inputs)


def given(made: Network, count: int = 5) -> list[npt.NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    inputs = [rng.standard_normal((count, *made.shapes["x"]), dtype=np.float32)]
    if "mask" in made.inputs:
        hidden = rng.random((count, *made.shapes["mask"])) < 0.3
        inputs.append(np.where(hidden, np.float32(-1e9), np.float32(0)))
    return inputs


def places(*shape: int) -> Floats:
    return np.random.default_rng(2).standard_normal(shape, dtype=np.float32)


KINDS = {
    "plain": network(),
    "biased": network(bias=places(1, HEADS, TOKENS, TOKENS)),
    "windows": network(bias=places(3, HEADS, TOKENS, TOKENS), windows=3),
    "shared": network(bias=places(1, 1, TOKENS, TOKENS), windows=3),
    "masked": network(masked=True),
}


def noise_db(expected: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.square(expected).sum() / np.square(found - expected).sum()))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_to_scores_is_read_and_run(kind: str, tmp_path: Path) -> None:
    made, inputs = KINDS[kind], given(KINDS[kind])
    path = tmp_path / "attention.onnx"
    path.write_bytes(to_onnx_bytes(made))
    feeds = dict(zip(made.inputs, inputs, strict=True))
    expected = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feeds)[0]
    again = read_onnx(path)
    (attention,) = [node for node in again.nodes if isinstance(node, Attention)]
    assert attention.windows == made.nodes[3].windows  # type: ignore[union-attr]
    for read in (made, again):
        with FloatSession(read) as session:
            assert noise_db(expected, session.run(*inputs)) > 110
            assert not session.network.foreign


@pytest.mark.parametrize("kind", KINDS)
def test_integers_follow_float32_and_are_saved(kind: str, tmp_path: Path) -> None:
    made, inputs = KINDS[kind], given(KINDS[kind])
    with FloatSession(made) as session:
        expected = session.run(*inputs)
    quantized = _quantized(made, inputs)
    results = []
    for variant in ("auto", "portable"):
        with build_session(quantized, variant=variant) as session:
            assert session.integer_share == 1
            results.append(session.run(*inputs))
    assert np.array_equal(*results)
    assert noise_db(expected, results[0]) > 30
    save_network(tmp_path / "saved", quantized, facts={})
    with build_session(load_network(tmp_path / "saved").quantized) as session:
        assert np.array_equal(session.run(*inputs), results[0])


def test_a_rule_keeps_attention_in_float32() -> None:
    made, inputs = KINDS["biased"], given(KINDS["biased"])
    with build_session(_quantized(made, inputs, Rule("attention", "w32-a32"))) as session:
        assert "1 attention_f32_u8" in session.execution_reason
        assert session.integer_share < 1
    with build_session(_quantized(made, inputs, Rule("linear", "w4c-a4t"), Rule("mixed", "w8c-a8t"))) as session:
        assert session.integer_share == 1


def _quantized(made: Network, inputs: list[npt.NDArray[np.float32]], *rules: Rule) -> QuantizedNetwork:
    from qbench.core.several import Several

    samples = Several(tuple(inputs)) if len(inputs) > 1 else inputs[0]
    seen = Observations(made, lambda: samples, threads=1)
    return PerLayer("minmax").apply(assigned(made, "w8c-a8t", method="minmax", rules=rules), seen, seed=0)
