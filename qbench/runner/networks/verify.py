"""No correct answer, no time: the kernels that a trial runs on give the portable loops' numbers, to the last bit.

`qbench verify` holds every variant against the NumPy reference on made-up operands; here the operands are the trial's
own: its weights, its scales, and images of the evaluation set.
"""

from __future__ import annotations

import numpy as np

from qbench.core.several import Inputs
from qbench.engine import Session, build_session
from qbench.errors import QBenchError
from qbench.graph import QuantizedNetwork
from qbench.runner.networks.score import answers

PORTABLE = "portable"
_IMAGES = 2


def verify(session: Session, quantized: QuantizedNetwork, *, inputs: Inputs) -> None:
    """Compare an integer session with the same network on portable loops, on two images: bit by bit.

    Layers that were left in float32 between integer ones run as in the session, in the same order of sums.

    Raises:
        QBenchError: their logits differ.
    """
    images = inputs[:_IMAGES]
    with build_session(quantized, variant=PORTABLE, threads=1, floats=session.variant) as portable:
        expected, found = answers(portable, images), answers(session, images)
    if not np.array_equal(expected, found):
        worst = float(np.max(np.abs(expected - found)))
        raise QBenchError(f"verify: logits differ from the portable kernels' by up to {worst:.3g}; expected equal bits")
