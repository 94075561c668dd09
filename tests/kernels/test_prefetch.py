"""How far ahead weights are asked for hangs on the rows of a tile and on the CPU."""

from __future__ import annotations

import llvmlite.binding as llvm
import pytest
from numba import config

from qbench.kernels.tiles import prefetch


@pytest.mark.parametrize(
    ("cpu", "few", "few_grouped", "four_grouped"), [("znver5", 2048, 4096, 4096), ("znver4", 0, 0, 16384)]
)
def test_few_rows_ask_only_where_the_cpu_gains_by_it(
    cpu: str, few: int, few_grouped: int, four_grouped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "CPU_NAME", None)
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: cpu)
    monkeypatch.setattr(prefetch, "asks_ahead", prefetch.asks_ahead.__wrapped__)
    assert prefetch.bytes_ahead(1, grouped=False) == few
    assert prefetch.bytes_ahead(4, grouped=False) == few
    assert prefetch.bytes_ahead(1, grouped=True) == few_grouped
    assert prefetch.bytes_ahead(4, grouped=True) == four_grouped
    assert prefetch.bytes_ahead(8, grouped=False) == 16384


def test_a_cpu_that_the_environment_names_is_the_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CPU_NAME", "znver4")
    assert not prefetch.asks_ahead.__wrapped__()
