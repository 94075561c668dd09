"""Statistics of every activation on the calibration images: computed once a draw, used by every trial."""

from __future__ import annotations

from collections import defaultdict

from qbench.core.tensor import Floats
from qbench.engine import FloatSession
from qbench.graph.network import Network
from qbench.methods.activation_stats import ActivationObserver, ActivationStats

_BATCH = 64


def calibrate(network: Network, inputs: Floats, *, threads: int) -> dict[str, ActivationStats]:
    """Return the statistics of every tensor that enters a layer or is added, over float32 NCHW `inputs`.

    Images go through in batches of 64 and no activation is kept, so that memory does not grow with their number.
    """
    observers: defaultdict[str, ActivationObserver] = defaultdict(ActivationObserver)

    def tap(name: str, values: Floats) -> None:
        observers[name].update(values)

    with FloatSession(network, threads=threads) as session:
        for start in range(0, len(inputs), _BATCH):
            session.run(inputs[start : start + _BATCH], tap=tap)
    return {name: observer.finish() for name, observer in observers.items()}
