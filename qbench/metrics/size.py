"""The three sizes of a quantized network, never one for another, and how much of its work ran in integers."""

from __future__ import annotations

from qbench.core.trial import Metric
from qbench.metrics.kinds import MetricKind


def bits_per_weight(packed_bytes: float, *, weights: int) -> Metric:
    """Return 8 x packed_bytes / weights; value None for a network without weights."""
    return BITS_PER_WEIGHT.of(8.0 * packed_bytes / weights if weights else None)


THEORETICAL_BYTES = MetricKind(
    "theoretical_bytes", "bytes", "lower", "information in the codes, without scales (ternary: log2 3)",
    "network", lambda built: built.theoretical_bytes,
)  # fmt: skip
PACKED_BYTES = MetricKind(
    "packed_bytes", "bytes", "lower", "on disk: packed codes, scales, zero points, biases",
    "network", lambda built: built.weight_bytes + built.bias_bytes,
)  # fmt: skip
RESIDENT_BYTES = MetricKind(
    "resident_bytes", "bytes", "lower", "in memory, in the layout that the kernels read",
    "network", lambda built: built.resident_bytes,
)  # fmt: skip
BITS_PER_WEIGHT = MetricKind(
    "bits_per_weight", "bits", "lower", "packed bits per weight, scales and zero points included",
    "network", lambda built: bits_per_weight(built.weight_bytes, weights=built.weights),
)  # fmt: skip
INTEGER_SHARE = MetricKind(
    "integer_share", "", "higher", "share of the multiply-adds that ran in integers, 0..1",
    "network", lambda built: built.integer_share,
)  # fmt: skip
