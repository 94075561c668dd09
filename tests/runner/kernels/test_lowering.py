"""What a kernel cell is lowered to is what a session, or a device's session, is bound to for the same numbers."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from qbench.core.cells.product import ConvProblem, GemmProblem, KernelCell, KernelOperands
from qbench.core.formats import Uniform
from qbench.core.granularity import PerTensor
from qbench.core.spec import QuantSpec
from qbench.core.tensor import QParams, QTensor
from qbench.engine.device import session as device_session
from qbench.engine.lowering.products import counts_bits
from qbench.engine.plans.network import plan_network
from qbench.engine.steps import layers
from qbench.errors import QBenchError
from qbench.graph import Network, QuantizedNetwork
from qbench.graph.network import Conv, Flatten, Layer, Linear, Pool
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.variants import NAMES
from qbench.runner.cuda.prepare import describe
from qbench.runner.kernels import subject
from qbench.runner.kernels.lowering import layer_of, lower_cell
from qbench.runner.kernels.operands import draw_operands

SAME = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
PROBLEMS = {
    "wide": ConvProblem(1, 6, 6, 64, 32, **SAME),  # type: ignore[arg-type]
    "narrow": ConvProblem(1, 6, 6, 16, 16, **SAME),  # type: ignore[arg-type]
    "image": ConvProblem(1, 8, 8, 3, 16, **SAME),  # type: ignore[arg-type]
    "depthwise": ConvProblem(1, 6, 6, 32, 32, groups=32, **SAME),  # type: ignore[arg-type]
    "grouped": ConvProblem(1, 6, 6, 32, 32, groups=4, **SAME),  # type: ignore[arg-type]
}
SPECS = (
    *(f"w{bits}c-a8t" for bits in (8, 7, 6, 5, 4, 3, 2)), "w2c-a2t", "w4c-a4t", "w8c-a2t", "wtc-att", "wtc-a8t",
    "wbc-a8t", "wbc-abt", "wbc-att", "wtc-abt", "wbc-a2t",
)  # fmt: skip


class StopError(Exception):
    """Ends a session that is being made once what is asked for is known."""


def network_of(cell: KernelCell, operands: KernelOperands) -> tuple[QuantizedNetwork, Layer]:
    """Return a network whose first layer is the cell's, and that layer."""
    layer, weights = layer_of(cell, operands)
    assert isinstance(layer, Conv)
    problem = cell.problem
    assert isinstance(problem, ConvProblem)
    channels, (height, width) = problem.out_channels, problem.out_size
    first = replace(layer, input="x", output="cell")
    last = np.ones((2, channels), np.float32)
    nodes = (
        first, Pool("mean", "global_average", "cell", "mean", (height, width)), Flatten("flat", "mean", "flat"),
        Linear("out", "flat", "out", last, np.zeros(2, np.float32)),
    )  # fmt: skip
    shape = (problem.channels, problem.height, problem.width)
    shapes = {"x": shape, "cell": (channels, height, width), "mean": (channels, 1, 1), "flat": (channels,), "out": (2,)}
    net = Network("cell", "x", shape, "out", nodes, shapes, {}, "")
    u8 = QuantSpec(Uniform(8, signed=False, symmetric=False), PerTensor())
    ones = QTensor(np.ones((2, channels), np.int16), QParams(weights.spec, *_numbers(2, 1.0)))
    params = {
        "x": QParams(QuantSpec(cell.layer_spec.activations.format, PerTensor()),
                     *(np.asarray(v, np.float32) for v in (operands.lhs_scale, operands.lhs_zero_point))),
        "cell": QParams(u8, *(np.asarray(v, np.float32) for v in (operands.out_scale, operands.out_zero_point))),
        "mean": QParams(u8, np.float32(1) * np.ones(()), np.zeros((), np.float32)),
    }  # fmt: skip
    return QuantizedNetwork(net, {"cell": weights, "out": ones}, params), first


def _numbers(channels: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    return np.full(channels, scale, np.float32), np.zeros(channels, np.float32)


def same(one: ChannelParams, two: ChannelParams) -> bool:
    return all(np.array_equal(getattr(one, field.name), getattr(two, field.name)) for field in fields(ChannelParams))


def first_job(monkeypatch: pytest.MonkeyPatch, where: Any, call: Any) -> tuple[Job, Weights]:
    """Return what a module first asks to be bound."""
    found: list[tuple[Job, Weights]] = []

    def bind(job: Job, weights: Weights, **_: object) -> object:
        found.append((job, weights))
        raise StopError

    monkeypatch.setattr(where, "bind_fastest", bind)
    with pytest.raises(StopError):
        call()
    return found[0]


@pytest.mark.parametrize("variant", ["portable", "x86_vnni", "x86_avx2"])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_cell_is_bound_as_a_session_binds_the_same_layer(
    problem: str, spec: str, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = KernelCell(PROBLEMS[problem], spec, "u8")
    operands = draw_operands(cell)
    if spec.startswith("wb") and problem in ("depthwise", "grouped"):
        with pytest.raises(QBenchError, match="need a weight code that means 0"):
            lower_cell(cell, operands, alone=False)
        return
    quantized, _ = network_of(cell, operands)
    if spec == "wtc-abt":
        reason = "activations with a zero point of 0.5 have no integer kernel for"
        with pytest.raises(QBenchError, match=f"wtc-abt: {reason}"):
            subject.prepare(cell, operands)
        assert reason in plan_network(quantized, variant=variant).reasons["cell"]
        return
    theirs, weights = first_job(monkeypatch, layers, lambda: plan_network(quantized, variant=variant))
    monkeypatch.setattr(subject, "choose", lambda name: name)
    where = layers if theirs.lhs.channels < cell.problem.channels else subject  # some groups at a time
    ours, given = first_job(monkeypatch, where, lambda: subject.prepare(cell, operands, variant=variant))
    assert (ours.product, ours.epilogue, ours.window) == (theirs.product, theirs.epilogue, theirs.window)
    assert (ours.groups, ours.zero_padding) == (theirs.groups, theirs.zero_padding)
    assert np.array_equal(given.codes, weights.codes)
    assert np.array_equal(given.meant, weights.meant)
    assert same(given.params, weights.params)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec != "wtc-abt"])
def test_a_device_is_asked_for_a_cell_as_for_the_same_layer(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = KernelCell(replace(PROBLEMS["wide"], pads=(0, 0, 0, 0)), spec, "u8")  # type: ignore[type-var]
    operands = draw_operands(cell)
    asked: list[Any] = []

    def pick(*given: Any) -> Any:
        asked.append(given)
        raise StopError

    class Machine:
        capability = 90

        def empty(self, size: int, fill: int = 0) -> None:
            return None

    monkeypatch.setattr(device_session.DeviceSession, "_load", lambda self: [])
    monkeypatch.setattr(device_session.steps, "pack", lambda *_, **__: None)
    with pytest.raises(StopError):
        device_session.DeviceSession(Machine(), network_of(cell, operands)[0], images=1, pick=pick)  # type: ignore[arg-type]
    task, codes, params, job = asked[0]
    described = describe(cell, operands)
    assert described.job == job
    assert (described.task.product, described.task.epilogue) == (task.product, task.epilogue)
    assert np.array_equal(described.codes, codes)
    assert same(described.params, params)


def test_formats_that_only_cells_have_are_lowered_by_the_same_rules() -> None:
    problem = GemmProblem(4, 64, 16)
    for spec, product, on_device in (
        ("w4c-a32", "f32_s4", "f16_s4"), ("w3c-a32", "f32_s4", "f16_s4"), ("w2c-a32", "f32_s2", "f16_s4"),
    ):  # fmt: skip
        cell = KernelCell(problem, spec, "f32")
        lowered = lower_cell(cell, draw_operands(cell))
        assert (str(lowered.product), lowered.device_product) == (product, on_device)
        assert not lowered.params.correction.any()
    cell = KernelCell(problem, "w4g32-a8t", "f32")
    lowered = lower_cell(cell, draw_operands(cell))
    assert (lowered.params.group_size, lowered.words.grouped, lowered.params.scale.shape) == (32, True, (2, 16))


def test_what_no_kernel_multiplies_is_refused_in_one_line() -> None:
    cell = KernelCell(GemmProblem(4, 64, 16), "w8c-a32", "f32")
    with pytest.raises(QBenchError, match="w8c-a32: no product of the device multiplies float16 by codes of s8"):
        describe(cell, draw_operands(cell))
    cell = KernelCell(replace(PROBLEMS["grouped"], channels=64), "w4g16-a8t", "f32")
    with pytest.raises(QBenchError, match=r"w4g16-a8t: groups of 16 do not end at whole k-groups"):
        lower_cell(cell, draw_operands(cell))


def test_variants_that_sum_pairs_multiply_few_bits_as_sessions_do() -> None:
    cell = KernelCell(PROBLEMS["wide"], "wtc-att", "u8")
    operands = draw_operands(cell)
    found = {name: str(lower_cell(cell, operands, counts=counts_bits(name)).product) for name in NAMES}
    assert {name for name, product in found.items() if product != "t2_t2"} == {"x86_avx2"}
