"""Scores: what a row of results says, each with a name, a unit, a direction and, where there is one, an interval.

Pure functions of arrays live here. No clock, no file, no plot: those are the runner's, results' and report's.
`METRICS` is the table of names, each a `MetricKind`. To add a score: one function, one `MetricKind`, one line.
"""

from __future__ import annotations

from qbench.metrics.bits import pack_bits, unpack_bits
from qbench.metrics.kinds import MetricKind
from qbench.registry import Registry

METRICS = Registry(
    "qbench.metrics",
    {
        "top1_percent": "qbench.metrics.accuracy:TOP1_PERCENT",
        "worst_class_percent": "qbench.metrics.accuracy:WORST_CLASS_PERCENT",
        "top1_drop_points": "qbench.metrics.paired:TOP1_DROP_POINTS",
        "mcnemar_p": "qbench.metrics.paired:MCNEMAR_P",
        "kept_percent": "qbench.metrics.noninferiority:KEPT_PERCENT",
        "keeps_99": "qbench.metrics.noninferiority:KEEPS_99",
        "keeps_999": "qbench.metrics.noninferiority:KEEPS_999",
        "agreement_percent": "qbench.metrics.logits:AGREEMENT_PERCENT",
        "logit_sqnr_db": "qbench.metrics.logits:LOGIT_SQNR_DB",
        "logit_kl_nats": "qbench.metrics.logits:LOGIT_KL_NATS",
        "weight_sqnr_db": "qbench.metrics.tensor:WEIGHT_SQNR_DB",
        "weight_bias_steps": "qbench.metrics.tensor:WEIGHT_BIAS_STEPS",
        "theoretical_bytes": "qbench.metrics.size:THEORETICAL_BYTES",
        "packed_bytes": "qbench.metrics.size:PACKED_BYTES",
        "resident_bytes": "qbench.metrics.size:RESIDENT_BYTES",
        "bits_per_weight": "qbench.metrics.size:BITS_PER_WEIGHT",
        "integer_share": "qbench.metrics.size:INTEGER_SHARE",
        "images_per_s": "qbench.metrics.speed:IMAGES_PER_S",
        "speedup": "qbench.metrics.speed:SPEEDUP",
        "ceiling_share": "qbench.metrics.speed:CEILING_SHARE",
    },
)

__all__ = ["METRICS", "MetricKind", "kind", "pack_bits", "unpack_bits"]


def kind(name: str) -> MetricKind:
    """Return the unit, direction and meaning of the metric `name`; raise QBenchError with a suggestion when unknown."""
    found = METRICS.load(name)
    if not isinstance(found, MetricKind):
        raise TypeError(f"metric '{name}': expected a MetricKind, got {type(found).__name__}")
    return found
