"""Where a network's time goes beside its own graph in float32: steps of both on one thread, in turns."""

from __future__ import annotations

import statistics
from collections import defaultdict

from qbench.core.several import Inputs
from qbench.engine import FloatSession, Session
from qbench.graph import Network
from qbench.graph.network import Foreign
from qbench.runner.timing.clock import Clock

CONVERSIONS = "conversions"
_ROUNDS, _LEAST, _MOST_S = 15, 3, 2.0


def split_of(session: Session, network: Network, inputs: Inputs, *, clock: Clock) -> dict[str, tuple[float, float]]:
    """Return kind of step -> seconds per image in a session and in float32, medians of rounds in which both took turns.

    A kind is that of the node (`Conv`, `Add` ...) or `conversions`; what the threads and the call cost is not in it.

    Args:
        session: of the quantized network.
        network: in float32.
        inputs: samples, at least as many as a pass takes.
        clock: the clock.
    """
    rounds: list[tuple[dict[str, float], dict[str, float]]] = []
    with FloatSession(network, threads=1) as plain:
        _pass(plain, inputs, clock)
        start_s = clock.now_s()
        while len(rounds) < _ROUNDS and (len(rounds) < _LEAST or clock.now_s() - start_s < _MOST_S):
            rounds.append((_pass(session, inputs, clock), _pass(plain, inputs, clock)))
    kinds = dict.fromkeys(kind for one in rounds for side in one for kind in side)
    return {
        kind: (
            statistics.median(one[0].get(kind, 0.0) for one in rounds),
            statistics.median(one[1].get(kind, 0.0) for one in rounds),
        )
        for kind in kinds
    }


def _pass(session: Session, inputs: Inputs, clock: Clock) -> dict[str, float]:
    """Return the seconds per image of each kind of step, in one pass."""
    kinds = {
        node.name: "other libraries" if isinstance(node, Foreign) else type(node).__name__
        for node in session.network.nodes
    }
    spent: defaultdict[str, float] = defaultdict(float)
    for row in session.profile(inputs, timer=clock.now_s, repeats=1):
        spent[kinds.get(str(row["name"]), CONVERSIONS)] += float(row["median_s"]) / int(row["images"])
    return spent
