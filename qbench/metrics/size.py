"""The three sizes of a quantized network, never one for another, and how much of its work ran in integers."""

from __future__ import annotations

from qbench.core.trial import Metric
from qbench.metrics.kinds import MetricKind

THEORETICAL_BYTES = MetricKind(
    "theoretical_bytes", "bytes", "lower", "information in the codes alone (ternary: log2 3)"
)
PACKED_BYTES = MetricKind("packed_bytes", "bytes", "lower", "on disk: packed codes, scales, zero points, biases")
RESIDENT_BYTES = MetricKind("resident_bytes", "bytes", "lower", "in memory, in the layout that the kernels read")
BITS_PER_WEIGHT = MetricKind(
    "bits_per_weight", "bits", "lower", "packed bits per weight, scales and zero points included"
)
INTEGER_SHARE = MetricKind("integer_share", "", "higher", "share of the multiply-adds that ran in integers, 0..1")


def bits_per_weight(packed_bytes: float, *, weights: int) -> Metric:
    """Return 8 x packed_bytes / weights; value None for a network without weights."""
    return BITS_PER_WEIGHT.of(8.0 * packed_bytes / weights if weights else None)
