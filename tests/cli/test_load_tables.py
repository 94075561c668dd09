"""What the terminal says of latencies and memory: a line for each row and party, only columns with a number."""

from __future__ import annotations

from qbench.cli.terminal.load import load_tables
from qbench.core.trial import Measurement, Trial, TrialResult
from qbench.results.columns import OFFLINE, SINGLE, latency_group


def test_what_is_of_a_batch_size_stands_apart_from_what_is_not() -> None:
    trial = Trial("load", "resnet20", "cifar10", "all", "w8c-a8t", "mse")
    times = [
        Measurement(latency_group(8), party, tuple(scale * number for number in range(1, 501)), 1, 8)
        for party, scale in (("qbench", 1e-5), ("onnxruntime-fp32", 2e-5))
    ]
    seen: dict[str, dict[str, float | None]] = {
        "qbench": {"startup_s": 0.25, "peak_bytes_b8": 64e6, "energy_j_b8": None}
    }
    times += [Measurement(SINGLE, "qbench", (0.001,), 1, 1), Measurement(OFFLINE, "qbench", (0.5, 0.3), 1, 8)]
    row = TrialResult(trial, "", "ok", measurements=tuple(times), observed=seen)
    sized, other = load_tables([row, TrialResult(trial, "", "skipped")])
    headings, lines = sized
    assert headings == (
        "row", "library", "batch", "p50, ms", "p90, ms", "p99, ms", "p99 at most, ms", "queries", "peak memory, MB",
    )  # fmt: skip
    assert lines == [
        (trial.key, "qbench", "8", "2.50", "4.50", "4.95", "5.00", "500", "64.00"),
        (trial.key, "onnxruntime-fp32", "8", "5.00", "9.00", "9.90", "10.00", "500", "-"),
    ]
    assert other == (
        ("row", "library", "SingleStream p90, ms", "Offline, samples/s", "start to first answer, ms"),
        [(trial.key, "qbench", "1.00", "20.00", "250.0")],
    )
