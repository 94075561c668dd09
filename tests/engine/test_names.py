"""The names of the compiled kernels that a network is bound to: as they were, so that images on disk stay valid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from qbench.engine.plans.network import plan_network
from qbench.engine.plans.plan import Workspace
from qbench.graph import Network
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels import native
from qbench.methods import ActivationStats

from .conftest import quantized
from .test_session import INTEGER

NAMES = Path(__file__).with_name("names.txt")
VARIANT = "x86_vnni"


class Uncompiled:
    """What stands for a compiled function; it is never called."""

    address = 0


def test_networks_are_bound_to_kernels_of_the_same_names(
    network: Network, stats: Mapping[str, ActivationStats], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    made = [QuantizedNetwork(network, *quantized(network, stats, token, method)) for token, method in INTEGER]

    def compiled(factory: str, literals: tuple[native.Constant, ...], kind: str) -> Uncompiled:
        asked.append(f"{kind} {factory}{literals!r}")
        return Uncompiled()

    monkeypatch.setattr(native, "_compiled", compiled)
    found = []
    for (token, method), one in zip(INTEGER, made, strict=True):
        for cached in (native.task_function, native.entry):
            cached.cache_clear()
        asked.clear()
        Workspace(plan_network(one, variant=VARIANT).plan)
        found.append(f"{token} {method}")
        found += sorted(f"  {count} {name}" for name, count in Counter(asked).items())
    for cached in (native.task_function, native.entry):
        cached.cache_clear()
    assert found == NAMES.read_text(encoding="utf-8").splitlines()
