"""A peer that is wrong, refuses or breaks is left out with a remark; the rows of qbench stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from qbench.core.tensor import Floats
from qbench.core.trial import TrialResult
from qbench.errors import ModelError
from qbench.graph import QuantizedNetwork
from qbench.peers import Peer, Prepared
from qbench.peers.onnxruntime.fp32 import OnnxRuntimeFp32
from qbench.peers.onnxruntime.int8 import OnnxRuntimeInt8
from qbench.results import left_out
from qbench.runner.networks.baseline import check_runtimes
from qbench.runner.networks.bench import Bench
from qbench.runner.networks.trial import run_trial
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.sampling import Rules
from qbench.suite import Planned

ROUGH = Rules(precision=0.5, seconds_a_cell=0.01)
APART = (
    "onnxruntime-int8: logits of a batch of {} are 0.0 dB from those of the same codes here, expected at least 20 dB"
)
WRONG = f"not timed: {APART}"


class Zeros:
    """Answers nothing but zeros, where `wrong` says so of the batch."""

    def __init__(self, right: Prepared, wrong: Callable[[int], bool]) -> None:
        self._right, self._wrong = right, wrong

    def run(self, inputs: Floats) -> Floats:
        found = self._right.run(inputs)
        return np.zeros_like(found) if self._wrong(len(inputs)) else found

    def bind(self, inputs: Floats) -> Callable[[], Floats]:
        return lambda: self.run(inputs)


def answer_zeros(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[int], bool], *, peer: type[Peer] = OnnxRuntimeInt8
) -> None:
    prepare = peer.prepare

    def faked(self: Peer, model: QuantizedNetwork, *, threads: int) -> Prepared:
        return Zeros(prepare(self, model, threads=threads), wrong)

    monkeypatch.setattr(peer, "prepare", faked)


def run(item: Planned, bench: Bench) -> TrialResult:
    return run_trial(item, bench, cache_hash="hash", rules=ROUGH, clock=Clock())


def timed(row: TrialResult) -> dict[str, set[str]]:
    """Return the cells of each group of the network."""
    found: dict[str, set[str]] = {}
    for measurement in row.measurements:
        if measurement.group.startswith("network/"):
            found.setdefault(measurement.group, set()).add(measurement.cell)
    return found


@pytest.mark.parametrize(("wrong", "batch"), [(lambda _: True, 60), (lambda n: n == 1, 1), (lambda n: n == 8, 8)])
def test_a_peer_that_answers_wrongly_costs_no_row(
    planned: dict[str, Planned],
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    wrong: Callable[[int], bool],
    batch: int,
) -> None:
    answer_zeros(monkeypatch, wrong)
    row = run(planned["speed/w8c-a8t"], bench)
    assert (row.status, row.reason) == ("ok", "")
    assert timed(row) == {f"network/batch{size}": {"qbench", "onnxruntime-fp32"} for size in (1, 8)}
    assert WRONG.format(batch) in row.notes
    assert left_out([row, row]) == [f"{WRONG.format(batch)} (2 rows)"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelError("onnxruntime-int8: expected a model without kinks"), "expected a model without kinks"),
        (RuntimeError("could not create a primitive\nat line 7"), "RuntimeError: could not create a primitive"),
    ],
)
def test_a_peer_that_cannot_run_the_network_costs_no_row(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def refuse(_self: object, _model: QuantizedNetwork, *, threads: int) -> Prepared:
        raise error

    monkeypatch.setattr(OnnxRuntimeInt8, "prepare", refuse)
    row = run(planned["speed/w8c-a8t"], bench)
    assert (row.status, row.reason) == ("ok", "")
    assert timed(row)["network/batch8"] == {"qbench", "onnxruntime-fp32"}
    assert f"not timed: onnxruntime-int8: {words}" in row.notes


def test_a_peers_own_row_is_left_out_where_its_answers_are_not_those_of_its_codes(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_zeros(monkeypatch, lambda _: True)
    item = next(value for value in planned.values() if value.trial.backend != "qbench")
    row = run(item, bench)
    assert (row.status, row.metrics) == ("skipped", {})
    assert row.reason == APART.format(60)


def test_a_peers_own_row_keeps_its_score_where_it_may_not_be_timed(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_zeros(monkeypatch, lambda count: count == 1)
    item = next(value for value in planned.values() if value.trial.backend != "qbench")
    trial = planned["speed/w8c-a8t"].trial
    row = run(Planned(replace(item.trial, batch_sizes=trial.batch_sizes), ("accuracy", "speed")), bench)
    assert (row.status, row.measurements) == ("ok", ())
    assert row.notes == (WRONG.format(1),)


def test_a_layer_that_the_reference_answers_wrongly_is_timed_alone(
    planned: dict[str, Planned], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = bench.answers
    answer_zeros(monkeypatch, lambda _: True, peer=OnnxRuntimeFp32)
    row = run(planned["speed/w8c-a8t"], bench)
    assert (row.status, row.reason) == ("ok", "")
    assert "not timed: onnxruntime-fp32: wrong output for layer 'first'" in row.notes
    assert {m.cell for m in row.measurements if m.group == "layer/first/batch8"} == {"qbench"}


def test_wrong_answers_in_fp32_still_stop_the_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_zeros(monkeypatch, lambda _: True, peer=OnnxRuntimeFp32)
    with pytest.raises(ModelError, match="fp32 baseline"):
        check_runtimes(bench.answers, bench.own_logits)
