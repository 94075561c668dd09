"""Every entry of METHODS keeps its promises, at every width and granularity that its `supports` admits.

For authors of methods: name yours in the entry-point group `qbench.methods`, and this file tries it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TypeVar, get_args

import numpy as np
import pytest

from qbench.core.formats import Binary, Codebook, Logarithmic, NumberFormat, PowerOfTwo, Ternary, Uniform
from qbench.core.granularity import Granularity, PerChannel, PerGroup, PerTensor, ScaledGroup
from qbench.core.spec import FLOAT, LayerSpec, QuantSpec
from qbench.core.tensor import Floats, QParams, QTensor, expand
from qbench.errors import QBenchError
from qbench.methods import METHODS, ActivationObserver, Method, dequantize, fake_quantize, quantize

Made = TypeVar("Made")
GRANULARITIES: tuple[Granularity, ...] = (
    PerTensor(),
    PerChannel(),
    PerGroup(16),
    PerGroup(32),
    ScaledGroup(32, "e8m0"),
    ScaledGroup(16, "e4m3"),
    ScaledGroup(32, "u6"),
)
NAMED: tuple[NumberFormat, ...] = (Ternary(), Binary())


def random_weights(channels: int, depth: int, *, scale: float = 0.1) -> Floats:
    values = np.random.default_rng(channels * 1000 + depth).standard_t(6, (channels, depth)) * scale
    return values.astype(np.float32)


def with_row(weights: Floats, value: float) -> Floats:
    weights = weights.copy()
    weights[0] = value
    return weights


TENSORS: dict[str, Callable[[], Floats]] = {
    "usual": lambda: random_weights(8, 72),
    "depth no multiple of the group": lambda: random_weights(5, 45),
    "depth below the group": lambda: random_weights(4, 7),
    "one channel": lambda: random_weights(1, 64),
    "a single value": lambda: np.array([[0.3]], dtype=np.float32),
    "all zero": lambda: np.zeros((3, 32), dtype=np.float32),
    "constant": lambda: np.full((3, 32), 0.7, dtype=np.float32),
    "negative constant": lambda: np.full((3, 32), -0.7, dtype=np.float32),
    "one channel zero": lambda: with_row(random_weights(4, 40), 0.0),
    "one channel constant": lambda: with_row(random_weights(4, 40), 0.25),
    "tiny": lambda: random_weights(4, 48, scale=1e-30),
    "huge": lambda: random_weights(4, 48, scale=1e30),
    "an outlier": lambda: np.append(random_weights(1, 63), [[100.0]], axis=1).astype(np.float32),
    "positive": lambda: np.abs(random_weights(4, 48)) + np.float32(0.01),
}
ACTIVATIONS: dict[str, Floats] = {
    "relu": np.maximum(random_weights(50, 60, scale=1.0), 0),
    "signed": random_weights(50, 60, scale=1.0),
    "positive": np.abs(random_weights(50, 60, scale=1.0)) + np.float32(0.5),
    "negative": -np.abs(random_weights(50, 60, scale=1.0)) - np.float32(0.5),
    "all zero": np.zeros((4, 4), dtype=np.float32),
    "a single value": np.full((1, 1), 2.5, dtype=np.float32),
    "constant negative": np.full((3, 5), -1.5, dtype=np.float32),
    "tiny": random_weights(50, 60, scale=1e-30),
    "huge": random_weights(50, 60, scale=1e30),
}


def formats(method: Method, side: str) -> Iterator[NumberFormat]:
    """The formats that the method makes on a side: one a width that it has, and ternary and binary if it takes them."""
    found: list[NumberFormat] = list(NAMED)
    for bits in range(1, 9):
        with suppress(QBenchError):
            found.append(method.weight_format(bits) if side == "weights" else method.activation_format(bits))
    for number_format in dict.fromkeys(found):
        if side == "activations" and method.supports(LayerSpec(FLOAT, QuantSpec(number_format, PerTensor()))) is None:
            yield number_format
        if side == "weights" and grains(method, number_format):
            yield number_format


def grains(method: Method, number_format: NumberFormat) -> list[Granularity]:
    """The granularities that the method takes for weights of a format."""
    return [
        granularity
        for granularity in GRANULARITIES
        if method.supports(LayerSpec(QuantSpec(number_format, granularity), FLOAT)) is None
    ]


def attempt(call: Callable[[], Made]) -> tuple[Made | None, str]:
    """What `call` returns, or the reason for which it refused."""
    try:
        return call(), ""
    except QBenchError as error:
        return None, str(error)


def check_codes(codes: np.ndarray[tuple[int, ...], np.dtype[np.int16]], params: QParams) -> None:
    number_format = params.spec.format
    assert codes.dtype == np.int16
    if isinstance(number_format, Uniform | Ternary | Binary):
        assert codes.min() >= number_format.qmin
        assert codes.max() <= number_format.qmax
        assert (codes.min() >= -128 and codes.max() <= 127) or (codes.min() >= 0 and codes.max() <= 255)
    else:
        assert codes.min() >= 0
        assert codes.max() < 2**number_format.bits
    if isinstance(number_format, Binary):
        assert 0 not in codes


def check_params(params: QParams) -> None:
    for values in (params.scale, params.zero_point):
        assert values.dtype == np.float32
        assert np.all(np.isfinite(values))
    assert np.all(params.scale > 0)
    with np.errstate(all="raise"):
        assert np.all(np.isfinite(np.float32(1) / params.scale))
    if isinstance(params.spec.format, PowerOfTwo | Logarithmic | Codebook):
        assert params.levels is not None
        assert params.levels.dtype == np.float32
        assert params.levels.shape == (2**params.spec.format.bits,)
        assert np.all(np.isfinite(params.levels))
        assert np.all(np.diff(params.levels) >= 0)


@pytest.mark.parametrize("tensor", TENSORS)
@pytest.mark.parametrize("name", METHODS)
def test_weights_keep_every_promise(name: str, tensor: str) -> None:
    method, weights = METHODS.load(name), TENSORS[tensor]()
    before = weights.copy()
    for made, granularity in [(kind, one) for kind in formats(method, "weights") for one in grains(method, kind)]:
        spec = QuantSpec(made, granularity)
        quantized, reason = attempt(partial(method.quantize_weights, weights, spec))
        if quantized is None:
            # finite numbers are refused by log_floor alone, and those only that are not positive
            assert reason.startswith(name)
            assert "\n" not in reason
            assert np.any(weights <= 0)
            continue
        assert quantized.spec == spec
        check_weights(quantized, weights)
        assert np.array_equal(method.quantize_weights(weights, spec).codes, quantized.codes)
    assert np.array_equal(weights, before)


def check_weights(quantized: QTensor, weights: Floats) -> None:
    params, granularity = quantized.params, quantized.spec.granularity
    shapes = {PerTensor(): (), PerChannel(): weights.shape[:1]}
    groups = -(-weights.shape[1] // granularity.group_size) if isinstance(granularity, PerGroup) else 0
    assert params.scale.shape == shapes.get(granularity, (weights.shape[0], groups))
    assert quantized.codes.shape == weights.shape
    check_params(params)
    check_codes(quantized.codes, params)
    reals = quantized.dequantize()
    assert np.array_equal(reals, dequantize(quantized.codes, params))
    assert np.all(np.isfinite(reals))
    assert np.abs(reals).max() <= 4 * max(np.abs(weights).max(), 2.0**-119)
    assert np.array_equal(quantize(reals + _hundredth(quantized), params), quantized.codes)
    if not weights.any():
        assert np.abs(reals).max() < 1e-30
    check_zero_and_half_steps(params, weights, reals)


def check_zero_and_half_steps(params: QParams, weights: Floats, reals: Floats) -> None:
    """Zero is exact on grids that hold it, and what lies inside a grid of equal steps errs by half of one."""
    made = params.spec.format
    if isinstance(made, Ternary | PowerOfTwo | Logarithmic) or (isinstance(made, Uniform) and made.symmetric):
        assert not np.any(reals[weights == 0])
    if isinstance(made, Uniform) and params.rounding == "nearest":
        depth, granularity = weights.shape[1], params.spec.granularity
        scale, zero_point = (expand(v, depth, granularity) for v in (params.scale, params.zero_point))
        inside = (weights >= scale * (made.qmin - zero_point)) & (weights <= scale * (made.qmax - zero_point))
        assert np.all((np.abs(reals - weights) <= scale * np.float32(0.501)) | ~inside)


def _hundredth(quantized: QTensor) -> Floats | float:
    """What floor on equal steps may be off by on its own reals; the other laws give a real its code exactly."""
    params = quantized.params
    if params.rounding != "floor" or params.levels is not None:
        return 0.0
    one_up = QTensor((quantized.codes + 1).astype(np.int16), params)
    hundredth: Floats = (one_up.dequantize() - quantized.dequantize()) / np.float32(100)
    return hundredth


@pytest.mark.parametrize("numbers", ACTIVATIONS)
@pytest.mark.parametrize("name", METHODS)
def test_activations_keep_every_promise(name: str, numbers: str) -> None:
    method, values = METHODS.load(name), ACTIVATIONS[numbers]
    observer = ActivationObserver()
    observer.update(values)
    for made in formats(method, "activations"):
        spec = QuantSpec(made, PerTensor())
        params, reason = attempt(partial(method.activation_params, observer.finish(), spec))
        if params is None:
            assert reason.startswith(name)
            assert values.min() <= 0
            continue
        assert params.spec == spec
        if params.levels is not None or name == "linear_floor":
            assert (params.rounding == "floor") == ("_floor" in name)
        check_activations(params, values)


def check_activations(params: QParams, values: Floats) -> None:
    assert params.scale.shape == ()
    check_params(params)
    codes = quantize(values, params)
    check_codes(codes, params)
    assert codes.shape == values.shape
    assert np.all(np.isfinite(fake_quantize(values, params)))
    assert np.all(np.diff(fake_quantize(np.sort(values.ravel()), params)) >= 0)
    made, zero_point = params.spec.format, float(params.zero_point)
    if params.levels is None:
        assert zero_point == round(zero_point)
        signed_binary = isinstance(made, Binary) and zero_point == 0
        assert fake_quantize(np.zeros(1, np.float32), params)[0] == 0 or signed_binary
    if isinstance(made, Uniform):
        assert 0 <= zero_point <= made.qmax
    elif params.levels is None and values.min() >= 0:
        assert zero_point == -1


@pytest.mark.parametrize("name", METHODS)
def test_what_is_refused_has_a_reason_and_is_refused_when_asked_all_the_same(name: str) -> None:
    method, weights = METHODS.load(name), np.abs(random_weights(2, 32)) + np.float32(0.01)
    observer = ActivationObserver()
    observer.update(weights)
    made: list[NumberFormat] = [*NAMED, PowerOfTwo(4), Logarithmic(4), Logarithmic(2), Codebook(4), Codebook(4, "nf4")]
    made += [
        Uniform(4),
        Uniform(1),
        Uniform(4, signed=False, symmetric=False),
        Uniform(4, symmetric=False),
    ]
    for number_format in made:
        spec = QuantSpec(number_format, PerTensor())
        reason = method.supports(LayerSpec(spec, FLOAT))
        if reason is not None:
            assert reason.startswith(name)
            assert "\n" not in reason
            with pytest.raises(QBenchError):
                method.quantize_weights(weights, spec)
        reason = method.supports(LayerSpec(FLOAT, spec))
        if reason is not None:
            assert reason.startswith(name)
            with pytest.raises(QBenchError):
                method.activation_params(observer.finish(), spec)
    per_channel = LayerSpec(FLOAT, QuantSpec(Uniform(8, signed=False, symmetric=False), PerChannel()))
    assert "per tensor" in method.supports(per_channel)
    assert method.supports(LayerSpec(FLOAT, FLOAT)) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("name", METHODS)
def test_damaged_weights_are_refused_in_one_line(name: str, value: float) -> None:
    method = METHODS.load(name)
    weights = np.abs(random_weights(3, 32)) + np.float32(0.01)
    weights[1, 5] = value
    number_format = next(formats(method, "weights"))
    for damaged in (weights, np.empty((0, 4), np.float32), np.zeros((2, 3, 4), np.float32)):
        with pytest.raises(QBenchError, match=name) as caught:
            method.quantize_weights(damaged, QuantSpec(number_format, grains(method, number_format)[-1]))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_says_its_name_its_version_and_what_it_is(name: str) -> None:
    method = METHODS.load(name)
    assert method.name == name
    assert isinstance(method.version, int)
    assert method.__doc__
    for bits in range(1, 9):
        for asked in (method.weight_format, method.activation_format):
            try:
                assert isinstance(asked(bits), get_args(NumberFormat))
            except QBenchError:
                continue


ONE_WIDTH = {"ternary", "binary", "nf4", "fp4_e2m1", "fp8_e4m3", "fp8_e5m2", "mxfp4", "mxfp8", "mxint8", "nvfp4"}


@pytest.mark.parametrize("name", sorted(set(METHODS) - ONE_WIDTH))
def test_more_bits_err_less(name: str) -> None:
    method = METHODS.load(name)
    weights = np.abs(random_weights(8, 144)) + np.float32(0.02)
    errors = []
    for bits in (3, 5, 8):
        quantized = method.quantize_weights(weights, QuantSpec(method.weight_format(bits), PerChannel()))
        errors.append(float(np.mean((quantized.dequantize() - weights) ** 2)))
    assert errors == sorted(errors, reverse=True)
