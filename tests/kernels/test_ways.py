"""Which way computes a job: the first that can and is worth it, with a reason from each that cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from qbench.core.cells.algorithm import Algorithm
from qbench.kernels.conv import ways
from qbench.kernels.conv.direct import Direct
from qbench.kernels.conv.job import Job, Weights
from qbench.kernels.conv.operation import BoundConv
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.conv.reference import Window
from qbench.kernels.conv.way import Bound, Way
from qbench.kernels.depthwise.fields import STRIPPED
from qbench.kernels.depthwise.operation import Depthwise
from qbench.kernels.depthwise.strip import EMITTERS
from qbench.kernels.depthwise.way import Channelwise
from qbench.kernels.epilogue import Epilogue, Words
from qbench.kernels.layout import Layout
from qbench.kernels.product import B1_B1, U8_S8
from qbench.kernels.tiles.targets import TARGETS, target_of
from qbench.kernels.variants import NAMES, PORTABLE
from qbench.kernels.winograd.way import VARIANTS, Winograd

SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))
LHS, OUT = Layout(4, 16, 16, 64, 64, 1, (1, 1, 1, 1)), Layout(4, 16, 16, 64, 64, 1)
JOB = Job(U8_S8, Epilogue("u8"), PORTABLE, SAME, LHS, OUT)


def weights(codes: tuple[int, ...] = (64, 3, 3, 64)) -> Weights:
    zeros = np.zeros(codes[0], np.float32)
    return Weights(np.ones(codes, np.int16), ChannelParams(zeros.astype(np.int32), zeros, zeros, high=255.0))


def test_the_last_way_takes_every_job_but_those_of_groups() -> None:
    assert isinstance(ways.WAYS[-1], Direct)
    for variant in NAMES:
        assert ways.WAYS[-1].can_run(replace(JOB, variant=variant), weights()) is None
    assert ways.WAYS[-1].can_run(replace(JOB, groups=64), weights()) is not None


def test_windows_of_single_channels_are_computed_channel_by_channel() -> None:
    bound = ways.bind_fastest(replace(JOB, groups=64), weights((64, 3, 3, 1)))
    assert isinstance(bound, Depthwise)
    assert (bound.epilogue, bound.packed, bound.scratch_bytes) == (Epilogue("u8"), None, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"groups": 32}, "not each in a group"), ({"product": B1_B1}, "u8_s8 to u8 alone"),
        ({"epilogue": Epilogue("f32")}, "to f32"), ({"epilogue": Epilogue("u8", Words(residual=True))}, "no residuals"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_channel_by_channel_has_a_reason(change: dict[str, object], reason: str) -> None:
    job = replace(JOB, **{"groups": 64, **change})  # type: ignore[arg-type]
    assert reason in str(Channelwise().can_run(job, weights((64, 3, 3, 1))))


def test_a_job_that_no_way_computes_is_refused_with_all_reasons() -> None:
    with pytest.raises(ValueError, match=r"u8_s8 u8: .*; .*; channels in groups of their own"):
        ways.bind_fastest(replace(JOB, groups=2), weights())


@pytest.mark.parametrize("variant", NAMES)
def test_winograd_knows_every_variant_or_has_a_reason(variant: str) -> None:
    job = replace(JOB, variant=variant)
    reason = Winograd().can_run(job, weights())
    assert (reason is None) == (variant in VARIANTS)
    if reason is None:
        assert Winograd().cost(job) > 0


def test_every_variant_of_strips_has_what_emits_them() -> None:
    assert {target_of(variant).dot for variant in STRIPPED} <= set(EMITTERS)
    assert {target.dot for target in TARGETS if target.name in VARIANTS} == {"vnni", "pairs", "widen"}


class Free:
    """A way that costs nothing from some images on."""

    algorithm: Algorithm = "direct"
    worth: ClassVar[float] = 1.0
    least = 3

    def can_run(self, job: Job, weights: Weights) -> str | None:
        return None

    def cost(self, job: Job) -> float:
        return 1e-9 if job.lhs.images >= self.least else 1e99

    def bind(self, job: Job, weights: Weights, *, beside: Bound | None = None) -> BoundConv:
        return Direct().bind(job, weights)


def test_another_way_is_one_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    way: Way = Free()
    monkeypatch.setattr(ways, "WAYS", (way, *ways.WAYS))
    assert ways.least_images(way, Direct(), JOB) == 3
    bound = ways.bind_fastest(JOB, weights())
    assert bound.name.endswith("from 3 images")
    few = replace(JOB, lhs=replace(LHS, images=2), out=replace(OUT, images=2))
    assert isinstance(ways.bind_fastest(few, weights()), BoundConv)
