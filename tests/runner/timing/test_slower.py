"""A row that is slower than float32 says where its time goes."""

from __future__ import annotations

from qbench.core.trial import Measurement
from qbench.engine import build_session
from qbench.quantization import Observations
from qbench.quantization.per_layer import PerLayer
from qbench.quantization.specs import assigned
from qbench.runner.networks.bench import Bench
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.slower import why_slower


def cells(batch: int, own_s: float, others: dict[str, float]) -> list[Measurement]:
    return [
        Measurement(f"network/batch{batch}", name, tuple(seconds * (1 + 0.01 * i) for i in range(9)), 1, batch)
        for name, seconds in {"qbench": own_s, **others}.items()
    ]


def test_only_a_row_that_is_slower_beyond_doubt_says_where_its_time_goes(bench: Bench) -> None:
    seen = Observations(bench.network, lambda: bench.inputs[:8], threads=1)
    plain = assigned(bench.network, "w8c-a8t", method="minmax")
    times = [
        *cells(1, 2e-5, {"onnxruntime-fp32": 1e-5, "onnxruntime-int8": 5e-6}),
        *cells(8, 1e-5, {"onnxruntime-fp32": 1e-4, "onnxruntime-int8": 5e-6}),
    ]
    with build_session(PerLayer("minmax").apply(plain, seen, seed=0), threads=1) as session:
        (line,) = why_slower(session, bench.inputs, times, clock=Clock())
        kinds = {step.kind for step in (*session.plan.loads, *session.plan.steps)}
        assert list(why_slower(session, bench.inputs, times[3:], clock=Clock())) == []
    assert line.startswith("slower than onnxruntime-fp32 at batch 1: a call takes 21 us, its steps ")
    assert sum(kind in line for kind in kinds) >= 2
    assert 2 <= line.count(" %") <= 3
