"""Which columns of load people are shown, and under which headings."""

from __future__ import annotations

import pytest

from qbench.results.load import is_shown, load_heading


@pytest.mark.parametrize(
    ("column", "heading"),
    [
        ("latency_p99_s_b8", "p99, s, batch 8"),
        ("latency_p99_s_b8_high", "p99 at most (99 %), s, batch 8"),
        ("latency_p50_s_onnxruntime-fp32_b1", "p50, s, onnxruntime-fp32, batch 1"),
        ("peak_bytes_openvino-int8-2streams_b256", "peak memory, bytes, openvino-int8-2streams, batch 256"),
        ("server_per_s_onnxruntime-int8", "Server, queries/s, onnxruntime-int8"),
        ("startup_s", "start to first answer, s"),
    ],
)
def test_a_column_has_a_heading_with_its_party_and_batch(column: str, heading: str) -> None:
    assert is_shown(column)
    assert load_heading(column) == heading


@pytest.mark.parametrize("column", ["latency_p90_s_b1_low", "latency_s_b1", "phase_time_s", "images_per_s_b1", "key"])
def test_other_columns_are_not_shown(column: str) -> None:
    assert not is_shown(column)
