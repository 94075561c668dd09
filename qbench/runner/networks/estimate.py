"""How long a trial may take: for the plan and for a progress bar's first guess, never for a result."""

from __future__ import annotations

from qbench.runner.networks.bench import Bench
from qbench.runner.timing.network import network_operations
from qbench.runner.timing.rules import timing_rules
from qbench.suite import Planned, Suite

_ASSUMED_GOPS = 200.0
"""What scoring reaches on two server cores when a network runs in float: integer trials take less."""
_QUANTIZE_S = 0.3
_LAYER_KINDS = 8


def estimate_s(planned: Planned, suite: Suite, bench: Bench, *, quick: bool) -> float:
    """Return rough seconds of one trial: all images once, and every timed cell for as long as the suite grants it."""
    if planned.reason:
        return 0.0
    images = bench.count
    seconds = _QUANTIZE_S + images * network_operations(bench.network) / (_ASSUMED_GOPS * 1e9)
    rules = timing_rules(suite, quick=quick)
    cells = 1 + len(suite.timing.references)
    if "speed" in planned.measure:
        seconds += len(planned.trial.batch_sizes) * cells * rules.seconds_a_cell
    if "layers" in planned.measure:
        seconds += 2 * _LAYER_KINDS * rules.seconds_a_cell
    return seconds
