"""The task of samples without labels: how near does every single answer come to fp32's?"""

from __future__ import annotations

import numpy as np

from qbench.core.tensor import Floats
from qbench.metrics.kinds import MetricKind
from qbench.metrics.task import Answers, Scores, Task

SAMPLE_SQNR_DB = MetricKind(
    "sample_sqnr_db", "dB", "higher", "mean over samples of the SQNR of each one's logits, bootstrap 95 % interval"
)

LARGEST_DB = 144.5
"""24 bits of 6.02 dB, all that float32 tells apart. An answer equal to fp32's counts so much, nan minus so much."""


def nearness(outputs: Floats, answers: Answers) -> Scores:
    """Return the SQNR of each sample's outputs against fp32's in dB, of (n, m) both, within +-`LARGEST_DB`."""
    signal = np.asarray(answers.logits, np.float64)
    error = signal - np.asarray(outputs, np.float64)
    power, noise = np.sum(signal * signal, axis=1), np.sum(error * error, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(noise == 0.0, LARGEST_DB, 10.0 * np.log10(power / noise))
    return Scores(np.clip(np.nan_to_num(each, nan=-LARGEST_DB), -LARGEST_DB, LARGEST_DB))


FIDELITY = Task(
    "fidelity", "SQNR", "how near each answer comes to fp32's; needs no labels",
    SAMPLE_SQNR_DB, None, nearness, labelled=False, least_outputs=1,
)  # fmt: skip
