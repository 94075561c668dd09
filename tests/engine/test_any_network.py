"""Networks of every kind of end and middle: whatever stands there, answers are onnxruntime's, quantized or not."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import onnx
import pytest

from qbench.core.tensor import Floats
from qbench.engine import FloatSession, Session, build_session
from qbench.engine.kinds import shown
from qbench.engine.plans.ready import NoPlanError
from qbench.errors import ModelError
from qbench.graph import Conv, Network, QuantizedNetwork, read_onnx, to_onnx_bytes
from qbench.graph.onnx.read import network_of_model
from qbench.kernels import variants
from qbench.methods import ActivationObserver
from tests.graph.oracle import Array, outputs_of_file

from .conftest import quantized

EXPORTED = Path(__file__).parents[1] / "graph" / "exported"
HEAD = 'ir_version: 8, opset_import: ["": 17]'
CONV = "c = Conv <pads = [1, 1, 1, 1]> (x, w) r = Relu(c)"
ENDS = {
    "pool, convolution, flatten": ("float[N, 7] y", "p = GlobalAveragePool(r) q = Conv(p, v) y = Flatten(q)"),
    "convolution, relu, pool, flatten": (
        "float[N, 7] y", "q = Conv(r, v) s = Relu(q) p = GlobalAveragePool(s) y = Flatten(p)",
    ),
    "convolution, pool, flatten": ("float[N, 7] y", "q = Conv(r, v) p = GlobalAveragePool(q) y = Flatten(p)"),
    "relu, pool": ("float[N, 7, 1, 1] y", "q = Conv(r, v) s = Relu(q) y = GlobalAveragePool(s)"),
    "pool, convolution": ("float[N, 7, 1, 1] y", "p = GlobalAveragePool(r) y = Conv(p, v)"),
    "convolution, flatten": ("float[N, 448] y", "q = Conv(r, v) y = Flatten(q)"),
    "relu, flatten": ("float[N, 448] y", "q = Conv(r, v) s = Relu(q) y = Flatten(s)"),
    "largest of all": ("float[N, 7, 1, 1] y", "q = Conv(r, v) y = GlobalMaxPool(q)"),
    "image": ("float[N, 7, 8, 8] y", "y = Conv(r, v)"),
    "softmax": ("float[N, 7] y", "p = GlobalAveragePool(r) q = Conv(p, v) f = Flatten(q) y = Softmax(f)"),
    "log of softmax": ("float[N, 7] y", "p = GlobalAveragePool(r) q = Conv(p, v) f = Flatten(q) y = LogSoftmax(f)"),
    "sigmoid": ("float[N, 7] y", "p = GlobalAveragePool(r) q = Conv(p, v) f = Flatten(q) y = Sigmoid(f)"),
    "best": (
        "int64[N] y", "p = GlobalAveragePool(r) q = Conv(p, v) f = Flatten(q) y = ArgMax <axis = 1, keepdims = 0> (f)",
    ),
    "sum": ("float[N, 5, 8, 8] y", "d = Conv <pads = [1, 1, 1, 1]> (r, u) y = Add(d, r)"),
    "two": ("float[N, 7, 8, 8] y, float[N, 5, 8, 8] r", "y = Conv(r, v)"),
}  # fmt: skip
MIDDLES = {
    "transposed convolution": "m = ConvTranspose <strides = [2, 2]> (r, t)",
    "slopes": "m = PRelu(r, slope)",
    "difference": "d = Conv <pads = [1, 1, 1, 1]> (r, u) m = Sub(r, d)",
    "quotient": "d = Conv <pads = [1, 1, 1, 1]> (r, u) e = Exp(d) m = Div(r, e)",
    "larger": "d = Conv <pads = [1, 1, 1, 1]> (r, u) m = Max(r, d)",
    "norm": "m = InstanceNormalization(r, one, one)",
    "moved": "a = Transpose <perm = [0, 2, 3, 1]> (r) b = Softmax(a) m = Transpose <perm = [0, 3, 1, 2]> (b)",
    "depth to space, depth last": "a = Concat <axis = 1> (r, r, r, r) m = DepthToSpace <blocksize = 2> (a)",
    "depth to space": 'a = Concat <axis = 1> (r, r, r, r) m = DepthToSpace <blocksize = 2, mode = "CRD"> (a)',
    "linear, half pixels": 'm = Resize <mode = "linear"> (r, roi, twice)',
    "linear, corners": 'm = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (r, roi, twice)',
    "linear, asymmetric": 'm = Resize <mode = "linear", coordinate_transformation_mode = "asymmetric"> (r, roi, twice)',
    "largest across": "a = ReduceMax <axes = [2], keepdims = 1> (r) m = Add(a, r)",
}


def model_of(outputs: str, body: str) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    made = onnx.parser.parse_model(f"<{HEAD}> network (float[N, 3, 8, 8] x) => ({outputs}) {{ {CONV} {body} }}")
    shapes = {
        "w": (5, 3, 3, 3),
        "v": (7, 5, 1, 1),
        "u": (5, 5, 3, 3),
        "t": (5, 5, 2, 2),
        "slope": (5, 1, 1),
        "one": (5,),
    }
    plain = {"twice": np.array([1, 1, 2, 2], np.float32), "roi": np.zeros(0, np.float32)}
    for name, values in plain.items():
        if any(name in node.input for node in made.graph.node):
            made.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    for name, shape in shapes.items():
        values = (rng.standard_normal(shape) * 0.4).astype(np.float32)
        if any(name in node.input for node in made.graph.node):
            made.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return made


def images(count: int = 6) -> Floats:
    return np.random.default_rng(1).standard_normal((count, 3, 8, 8), dtype=np.float32)


def sessions(network: Network, *inputs: Array, method: str = "minmax") -> tuple[FloatSession, Session, Session]:
    """Return the network in float32, quantized on the best kernels, and quantized on portable ones."""
    observers: defaultdict[str, ActivationObserver] = defaultdict(ActivationObserver)
    plain = FloatSession(network, threads=1)
    plain.run(*inputs, tap=lambda name, values: observers[name].update(values))
    stats = {name: observer.finish() for name, observer in observers.items() if ":" not in name}
    made = QuantizedNetwork(network, *quantized(network, stats, "w8c-a8t", method))
    return plain, build_session(made), build_session(made, variant="portable", floats=variants.choose(), threads=1)


def check(model: onnx.ModelProto, x: Floats, *, integer: int = 1) -> None:
    """Hold float32 to onnxruntime, and codes to float32 and to the portable loops, bit by bit."""
    network = network_of_model(model, "network")
    expected = outputs_of_file(model.SerializeToString(), {"x": x})
    plain, session, portable = sessions(network, x)
    assert len(session.network.layers) - len(session.reasons) >= integer
    for want, real, found, law in zip(expected, plain.run_all(x), session.run_all(x), portable.run_all(x), strict=True):
        assert real.shape == want.shape == found.shape
        np.testing.assert_allclose(real, want, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(found, law)
        if want.dtype == np.float32:
            assert np.abs(found - want).max() < 0.06 * np.abs(want).max()
    one = np.concatenate([session.run(x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(one, session.run(x))


@pytest.mark.parametrize("end", ENDS)
def test_any_end_answers_as_the_file_says(end: str) -> None:
    check(model_of(*ENDS[end]), images())


@pytest.mark.parametrize("middle", MIDDLES)
def test_what_has_no_step_runs_in_float_with_integers_around_it(middle: str) -> None:
    side = 16 if middle.startswith(("transposed", "depth", "linear")) else 8
    model = model_of(f"float[N, 7, {side}, {side}] y", f"{MIDDLES[middle]} y = Conv(m, v)")
    check(model, images(), integer=2)


@pytest.mark.parametrize(
    ("middle", "said"),
    [
        ("m = MatMul(r, r)", "MatMul: 19 % of the multiply-adds in float, through onnxruntime; float32 between"),
        ("a = Transpose <perm = [0, 1, 3, 2]> (r) m = Sin(a)", "float32 between"),
    ],
    ids=["product", "none"],
)
def test_it_says_what_another_library_multiplies(middle: str, said: str) -> None:
    network = network_of_model(model_of("float[N, 7, 8, 8] y", f"{middle} y = Conv(m, v)"), "network")
    _, session, _ = sessions(network, images())
    assert session.execution == "integer"
    assert (session.integer_share < 0.95) == said.startswith("MatMul")
    assert session.execution_reason.startswith(said)


@pytest.mark.parametrize(
    ("channels", "groups", "made", "steps"),
    [(32, 8, 32, 2), (48, 6, 96, 6), (24, 3, 24, 2), (32, 4, 48, 1), (64, 2, 64, 2), (36, 12, 72, 2)],
)
def test_groups_are_computed_a_few_at_a_time(channels: int, groups: int, made: int, steps: int) -> None:
    rng = np.random.default_rng(channels)

    def weight(*shape: int) -> Floats:
        return (rng.standard_normal(shape) * 0.2).astype(np.float32)

    nodes = (
        Conv("wide", "x", "wide", weight(channels, 3, 3, 3), weight(channels), pads=(1, 1, 1, 1)),
        Conv(
            "grouped", "wide", "grouped", weight(made, channels // groups, 3, 3), weight(made), (2, 2), (1, 1, 1, 1),
            groups=groups,
        ),
        Conv("beside", "grouped", "beside", weight(made, made // 2, 1, 1), weight(made), groups=2, residual="grouped"),
        Conv("y", "beside", "y", weight(4, made, 1, 1), weight(4)),
    )  # fmt: skip
    shapes = {"x": (3, 8, 8), "wide": (channels, 8, 8), "grouped": (made, 4, 4), "beside": (made, 4, 4), "y": (4, 4, 4)}
    network = Network("grouped", "x", (3, 8, 8), "y", nodes, shapes, {}, "")
    plain, session, portable = sessions(network, images())
    parts = [step for step in session.plan.steps if step.name.split(":")[0] == "grouped"]
    assert len(parts) == steps
    assert sum(step.operations for step in parts) == network.operations("grouped")
    want = outputs_of_file(to_onnx_bytes(network), {"x": images()})[0]
    np.testing.assert_allclose(plain.run(images()), want, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(session.run(images()), portable.run(images()))
    assert np.abs(session.run(images()) - want).max() < 0.06 * np.abs(want).max()


def test_logits_that_are_images_of_one_pixel_are_vectors() -> None:
    network = network_of_model(model_of(*ENDS["pool, convolution"]), "network")
    with FloatSession(network) as session:
        assert session.run(images()).shape == (6, 7)
        assert session.run_all(images())[0].shape == (6, 7, 1, 1)


@pytest.mark.parametrize("name", ["bert_script", "bert_dynamo"])
def test_several_inputs_and_outputs_are_taken_by_place(name: str) -> None:
    path = EXPORTED / f"{name}.onnx"
    free = read_onnx(path)
    network = read_onnx(path, shapes={tensor: (9,) for tensor in free.inputs})
    given = [np.random.default_rng(i).integers(0, 2, (5, 9)) for i in range(len(network.inputs))]
    plain, session, portable = sessions(network, *given)
    expected = outputs_of_file(path, dict(zip(network.inputs, given, strict=True)))
    assert session.execution == "integer"
    assert session.integer_share > 0.8
    for want, real, found, law in zip(
        expected, plain.run_all(*given), session.run_all(*given), portable.run_all(*given), strict=True
    ):
        np.testing.assert_allclose(real, want, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(found, law)
        assert np.square(want).sum() > 300 * np.square(found - want).sum()


def test_a_state_without_a_batch_is_one_sample_of_its_own() -> None:
    model = onnx.parser.parse_model(
        f"<{HEAD}> network (float[1, 4] x, float[3, 1, 4] state) => (float[1, 4] y, float[3, 1, 4] next)"
        " { s = ReduceSum <keepdims = 0> (state, axes) y = Add(x, s) u = Unsqueeze(y, axes) next = Add(state, u) }"
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "axes"))
    network = network_of_model(model, "network")
    rng = np.random.default_rng(0)
    x, state = (rng.standard_normal((5, *network.shapes[name]), dtype=np.float32) for name in network.inputs)
    assert "state" in network.unbatched
    with FloatSession(network) as session:
        found = session.run_all(x, state)
    for i in range(5):
        want = outputs_of_file(model.SerializeToString(), {"x": x[i].reshape(1, 4), "state": state[i]})
        for one, other in zip(found, want, strict=True):
            np.testing.assert_allclose(one[i].reshape(other.shape), other, rtol=1e-5, atol=1e-6)


def test_a_mask_whose_batch_lies_within_an_axis_stays_inside_of_what_reads_it() -> None:
    model = onnx.parser.parse_model(
        f"<{HEAD}> network (float[N, 4, 6] x, int64[N, 4] mask) => (float[N, 4, 6] y)"
        " { b = Cast <to = 9> (mask) f = Flatten <axis = 0> (b) g = Transpose(f) m = MatMul(x, w)"
        " s = Shape(m) h = Reshape(g, flat) z = Cast <to = 1> (h) r = Reshape(z, back) t = Mul(m, r) y = MatMul(t, v) }"
    )
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.standard_normal((6, 6)).astype(np.float32), "v": rng.standard_normal((6, 6)).astype(np.float32),
        "flat": np.array([-1]), "back": np.array([-1, 4, 1]),
    }  # fmt: skip
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in arrays.items())
    network = network_of_model(model, "network")
    x, mask = rng.standard_normal((5, 4, 6), dtype=np.float32), rng.integers(0, 2, (5, 4))
    want = outputs_of_file(model.SerializeToString(), {"x": x, "mask": mask})[0]
    plain, session, _ = sessions(network, x, mask)
    np.testing.assert_allclose(plain.run_all(x, mask)[0], want, rtol=1e-4, atol=1e-4)
    assert len(session.network.layers) == 2
    assert not session.reasons


def test_a_mask_and_the_products_that_it_is_added_to_have_no_codes() -> None:
    """A mask of ones that had codes was 1.0002 under `mse`, and times -3e38 no longer nothing: -3 dB in MiniLM-L3."""
    model = onnx.parser.parse_model(
        f"<{HEAD}> network (float[N, 4, 6] x, int64[N, 4] mask) => (float[N, 4, 6] y)"
        " { c = Cast <to = 1> (mask) g = Unsqueeze(c, axes) h = Sub(one, g) m = Mul(h, low) q = MatMul(x, w)"
        " t = Transpose <perm = [0, 2, 1]> (x) s = MatMul(q, t) u = Unsqueeze(s, axis) a = Add(u, m) p = Softmax(a)"
        " z = Squeeze(p, axis) r = MatMul(z, q) y = MatMul(r, v) }"
    )
    rng = np.random.default_rng(0)
    arrays = {
        "w": rng.standard_normal((6, 6)).astype(np.float32), "v": rng.standard_normal((6, 6)).astype(np.float32),
        "axes": np.array([1, 2]), "axis": np.array([1]),
        "one": np.float32(1), "low": np.asarray(np.finfo(np.float32).min),
    }  # fmt: skip
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()
    )
    network = network_of_model(model, "network")
    x, mask = rng.standard_normal((64, 4, 6), dtype=np.float32), np.ones((64, 4), np.int64)
    plain, session, _ = sessions(network, x, mask, method="mse")
    assert {len(network.shapes[tensor]) for tensor in shown(network)} == {2}
    assert session.execution == "integer"
    want = plain.run(x, mask)
    np.testing.assert_allclose(want, outputs_of_file(model.SerializeToString(), {"x": x, "mask": mask})[0], atol=1e-4)
    assert np.square(want).sum() > 300 * np.square(session.run(x, mask) - want).sum()


def test_sizes_that_only_a_run_shows_are_one_line() -> None:
    network = read_onnx(EXPORTED / "bert_script.onnx")
    with pytest.raises(NoPlanError, match=r"'ids' \(batch, \?\) has a size that is free: fix it by --shape"):
        FloatSession(network)
    model = onnx.parser.parse_model(f"<{HEAD}> network (float[N, 4] x) => (int64[2, M] y) {{ y = NonZero(x) }}")
    with pytest.raises(ModelError, match="'y'"):
        FloatSession(network_of_model(model, "network"))
