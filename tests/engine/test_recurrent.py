"""LSTM and GRU: as onnxruntime in float, in integers as the law says to the last bit, and as files again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from qbench.engine import FloatSession, build_session
from qbench.engine.container import container_of
from qbench.engine.lowering.layers import lower
from qbench.engine.lowering.params import Ends
from qbench.engine.saved.network import load_network, save_network
from qbench.graph import Foreign, Linear, QuantizedNetwork, Recurrent, qdq_onnx_bytes, read_onnx, to_onnx_bytes
from qbench.kernels.conv.reference import fma
from qbench.kernels.tokens.reference_recurrent import gru_step, lstm_step
from qbench.quantization.observations import Observations
from qbench.quantization.recipe import parse_recipe
from qbench.quantization.specs import assigned
from tests.graph.conftest import Sketch
from tests.graph.oracle import Array, outputs_of_file

Floats = npt.NDArray[np.float32]
TOKENS, WIDE, HIDDEN = 5, 6, 7
GATES = {"LSTM": 4, "GRU": 3}


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    return Sketch(tmp_path)


def drawn(sketch: Sketch, cell: str, direction: str, *, layout: int = 0, given: bool = False, **more: int) -> Path:
    """Draw a recurrence on x (batch, tokens, c) with all its outputs; its states come in, or are zeros."""
    turns, gates = 1 + (direction == "bidirectional"), GATES[cell] * HIDDEN
    for name, shape in (("w", (turns, gates, WIDE)), ("r", (turns, gates, HIDDEN)), ("b", (turns, 2 * gates))):
        sketch.weights(name, *shape)
    states = "hc"[: 2 if cell == "LSTM" else 1]
    source, made = "x", [f"y{state}" for state in states]
    if not layout:
        sketch.node("Transpose", "x", source := "t", perm=[1, 0, 2])
    if given:
        sketch.constant("at", np.asarray(turns * HIDDEN))
        sketch.constant("shape", np.asarray([0, turns, HIDDEN]))
        for state in states:  # the first numbers of each sample's tokens
            sketch.node("Flatten", "x", f"{state}.flat")
            sketch.constant(f"{state}.places", np.arange(turns * HIDDEN) + (state == "c"))
            sketch.node("Gather", f"{state}.flat {state}.places", f"{state}.some", axis=1)
            sketch.node("Reshape", f"{state}.some shape", f"{state}.whole")
            sketch.node("Transpose", f"{state}.whole", state, perm=[0, 1, 2] if layout else [1, 0, 2])
    kind = {"linear_before_reset": 1} if cell == "GRU" else {}
    outputs = " ".join(["s", *(f"{name}.raw" for name in made)])
    inputs = f"{source} w r b -" + (f" {' '.join(states)}" if given else "")
    sketch.node(cell, inputs, outputs, hidden_size=HIDDEN, direction=direction, layout=layout, **(kind | more))
    sketch.constant("joined", np.asarray([0, 0, -1]))
    if not layout:
        sketch.node("Transpose", "s", "u", perm=[2, 0, 1, 3])
    sketch.node("Reshape", "s joined" if layout else "u joined", "y")
    for name in made:
        sketch.node("Transpose", f"{name}.raw", name, perm=[0, 1, 2] if layout else [1, 0, 2])
    return sketch.save(("n", TOKENS, WIDE), outputs=" ".join(["y", *made]))


def random_inputs(count: int = 3) -> Floats:
    return np.random.default_rng(1).normal(size=(count, TOKENS, WIDE)).astype(np.float32)


def quantized(path: Path, token: str, recipe: str = "minmax") -> QuantizedNetwork:
    network = read_onnx(path)
    seen = Observations(network, lambda: random_inputs(16), threads=1)
    return parse_recipe(recipe).apply(assigned(network, token, method="minmax"), seen)


def far(found: Array, expected: Array) -> float:
    """Return how far answers lie apart, in dB."""
    return float(10 * np.log10(np.square(expected).sum() / max(1e-30, np.square(found - expected).sum())))


CASES = [
    ("LSTM", "forward", False), ("LSTM", "bidirectional", True), ("LSTM", "reverse", True),
    ("GRU", "bidirectional", False), ("GRU", "reverse", True),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "direction", "given"), CASES)
def test_float_session_and_written_file_answer_as_the_file(
    sketch: Sketch, cell: str, direction: str, given: bool
) -> None:
    path, x = drawn(sketch, cell, direction, given=given), random_inputs()
    network = read_onnx(path)
    recurrences = [node for node in network.nodes if isinstance(node, Recurrent)]
    assert len(recurrences) == 1 + (direction == "bidirectional")
    assert not any(cell in node.operators for node in network.foreign)
    expected = outputs_of_file(path, {"x": x})
    with FloatSession(network, threads=1) as session:
        found = session.run_all(x)
    written = outputs_of_file(to_onnx_bytes(network), {"x": x})
    for one, other, again in zip(found, expected, written, strict=True):
        assert one.shape == other.shape == again.shape
        assert far(one, other) > 100
        assert far(again, other) > 100


def test_layout_with_the_batch_first_is_read_alike(sketch: Sketch) -> None:
    network = read_onnx(drawn(sketch, "LSTM", "bidirectional", layout=1, given=True))
    first = next(node for node in network.nodes if isinstance(node, Recurrent))
    assert (network.shapes[first.output], network.shapes[first.first[0]]) == ((TOKENS, HIDDEN), (HIDDEN,))
    assert [network.shapes[name] for name in network.outputs] == [(TOKENS, 2 * HIDDEN), (2, HIDDEN), (2, HIDDEN)]


def law(node: Recurrent, of: QuantizedNetwork, gates: Floats) -> Floats:
    """Return all hidden states of a recurrence from zeros, its product on codes, to the last bit."""
    box = container_of(of.activations[node.input])
    assert box is not None
    linear = Linear(node.name, "a", "b", node.weight, node.bias)
    params = lower(linear, of.weights[node.name], Ends(box, None)).params
    codes = of.weights[node.name].codes.astype(np.int64)
    states = tuple(np.zeros((len(gates), HIDDEN), np.float32) for _ in node.last)
    found = np.empty((len(gates), TOKENS, HIDDEN), np.float32)
    for token in reversed(range(TOKENS)) if node.reverse else range(TOKENS):
        t = states[0] * np.float32(box.inverse_scale) + np.float32(box.round_offset)
        h = np.clip(np.floor(t) if box.floor else np.rint(t), 0, box.high).astype(np.int64)
        acc = (h @ codes.T + params.correction).astype(np.float32)
        states = (lstm_step if node.cell == "LSTM" else gru_step)(
            gates[:, token], fma(acc, params.scale, params.offset), states
        )
        found[:, token] = states[0]
    return found


@pytest.mark.parametrize(("cell", "direction"), [("LSTM", "forward"), ("LSTM", "reverse"), ("GRU", "reverse")])
@pytest.mark.parametrize("token", ["w8c-a8t", "w3c-a8t"])
def test_integer_session_gives_the_bits_of_the_law(sketch: Sketch, cell: str, direction: str, token: str) -> None:
    of, x = quantized(drawn(sketch, cell, direction), token), random_inputs()
    (node,) = [node for node in of.network.nodes if isinstance(node, Recurrent)]
    with build_session(of, threads=1) as session, build_session(of, threads=2, variant="portable") as other:
        found, same = session.run_all(x), other.run_all(x)
        assert (session.execution, session.integer_share) == ("integer", 1)
        layout = session.plan.layouts[node.gates]
        whole = layout.interior(session._spaces[0].buffers[node.gates].view(np.float32))[: len(x), :, 0]
    assert np.array_equal(found[0], law(node, of, np.ascontiguousarray(whole, np.float32)))
    assert all(np.array_equal(a, b) for a, b in zip(found, same, strict=True))
    assert far(found[0], outputs_of_file(sketch.path, {"x": x})[0]) > (30 if token == "w8c-a8t" else 8)


@pytest.mark.parametrize(
    ("recipe", "token", "execution"), [("minmax", "w4c-a32", "dequantized"), ("binary", "wbc-abt", "integer")]
)
def test_other_specs_run(sketch: Sketch, recipe: str, token: str, execution: str) -> None:
    of = quantized(drawn(sketch, "LSTM", "forward"), token, recipe)
    with build_session(of, threads=1) as session:
        assert np.isfinite(session.run(random_inputs())).all()
        assert session.execution == execution


def test_recurrence_is_a_layer_of_recipes_and_files(sketch: Sketch, tmp_path: Path) -> None:
    path, x = drawn(sketch, "GRU", "bidirectional"), random_inputs()
    of = quantized(path, "w8c-a8t", "mse+gptq/both")
    names = [layer.name for layer in of.network.layers]
    assert names == ["gru.input", "gru.hidden", "gru.reverse.input", "gru.reverse.hidden"]
    assert set(of.weights) == set(names)
    save_network(tmp_path / "out", of, facts={})
    with build_session(of, threads=1) as session, load_network(tmp_path / "out").session(threads=1) as again:
        found = session.run_all(x)
        assert all(np.array_equal(a, b) for a, b in zip(found, again.run_all(x), strict=True))
    assert far(outputs_of_file(qdq_onnx_bytes(of), {"x": x})[0], found[0]) > 25


def test_one_layer_left_in_float_leaves_the_others_in_integers(sketch: Sketch) -> None:
    of = quantized(drawn(sketch, "LSTM", "bidirectional"), "w8c-a8t")
    weights = {name: codes for name, codes in of.weights.items() if name != "lstm.reverse.hidden"}
    with build_session(QuantizedNetwork(of.network, weights, of.activations), threads=1) as session:
        assert session.execution == "mixed"
        assert session.reasons == {"lstm.reverse.hidden": "layer 'lstm.reverse.hidden' keeps float32 weights"}
        assert far(session.run(random_inputs()), outputs_of_file(sketch.path, {"x": random_inputs()})[0]) > 30


@pytest.mark.parametrize(
    ("cell", "more", "why"),
    [("GRU", {"linear_before_reset": 0}, "resets the hidden state before"), ("LSTM", {"input_forget": 1}, "couples")],
)
def test_other_forms_stay_with_another_library_and_say_why(
    sketch: Sketch, cell: str, more: dict[str, int], why: str
) -> None:
    network = read_onnx(drawn(sketch, cell, "forward", **more))
    assert [isinstance(node, Foreign) for node in network.nodes] == [True]
    assert any(why in reason for reason in network.foreign[0].reasons)


def test_calibration_sees_the_state_before_each_step(sketch: Sketch) -> None:
    network, x = read_onnx(drawn(sketch, "LSTM", "reverse")), random_inputs(2)
    (node,) = [node for node in network.nodes if isinstance(node, Recurrent)]
    seen = Observations(network, lambda: x, threads=1)
    before = seen.samples_of(node.input, 2)[:, :, 0]
    with FloatSession(network, threads=1) as session:
        after = session.run(x)
    assert np.array_equal(before[:, -1], np.zeros((2, HIDDEN)))
    assert np.array_equal(before[:, :-1], after[:, 1:])
