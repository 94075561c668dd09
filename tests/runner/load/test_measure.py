"""A row's latencies, scenarios, memory and energy, from the suite to the columns; and what is never measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from qbench.core.trial import TrialResult
from qbench.engine import build_session
from qbench.results.load import counted, load_columns
from qbench.results.rows import decode_row, encode_row
from qbench.runner.load.fresh import fresh, packed
from qbench.runner.networks.bench import Bench, References
from qbench.runner.networks.kind import bench_of
from qbench.runner.networks.trial import run_trial
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.phases import Phases
from qbench.runner.timing.sampling import LoadRules, Rules
from qbench.suite import Planned, Suite, expand

LOAD = LoadRules(queries=70, seconds=30.0, bound_s=0.005, tolerance=0.5, energy_s=0.01, cold=False)
ROUGH = Rules(precision=0.5, seconds_a_cell=0.01, load=LOAD)


def run(item: Planned, bench: Bench) -> TrialResult:
    return run_trial(item, bench, cache_hash="hash", rules=ROUGH, clock=Clock())


@pytest.fixture(scope="module")
def row(suite: Suite) -> TrialResult:
    bench = bench_of(suite)
    item = next(one for one in expand(suite, [layer.name for layer in bench.network.layers]) if one.trial.batch_sizes)
    item = replace(item, trial=replace(item.trial, spec="w8c-a8t", method="mse"))
    return run(replace(item, measure=("accuracy", "latency", "scenario", "memory", "energy")), bench)


def test_a_row_has_every_column_for_qbench_and_for_the_libraries_beside_it(row: TrialResult) -> None:
    assert row.status == "ok", row.reason
    again = decode_row(encode_row(row), "network", place="here")
    assert again == row
    found = load_columns(again)
    for party in ("", "_onnxruntime-fp32", "_onnxruntime-int8"):
        for batch in (1, 8):
            assert 0 < found[f"latency_p50_s{party}_b{batch}"] <= found[f"latency_p90_s{party}_b{batch}"]
            assert found[f"latency_queries{party}_b{batch}"] == 70
            assert found[f"latency_p90_s{party}_b{batch}_high"] >= found[f"latency_p90_s{party}_b{batch}"]
            assert found[f"latency_p99_s{party}_b{batch}_high"] is None  # 70 queries bound no p99
            assert found[f"peak_bytes{party}_b{batch}"] > 2e7
        assert found[f"single_p99_s{party}"] > 0
        assert found[f"multi_queries{party}"] == 70
        assert found[f"offline_per_s{party}"] > 0
        assert found[f"startup_s{party}"] > 0
        assert f"server_per_s{party}" in found
    assert found["arena_bytes"] > 0
    assert found["energy_j_b1"] is None or found["energy_j_b1"] == found["energy_j_b1"]
    assert any(note.startswith("energy: ") for note in row.notes)


def test_layers_are_counted_by_the_widths_of_what_they_multiply(row: TrialResult) -> None:
    macs = 16 * 27 * 64 + 16 * 144 * 64 + 64
    assert counted(row) == {"macs_w8_a8": macs, "bit_operations": 64.0 * macs}
    mixed = replace(row, layer_rows=(row.layer_rows[0], {**row.layer_rows[1], "spec": "t", "activations": "32"}))
    assert counted(mixed) == {
        "macs_w8_a8": 16 * 27 * 64,
        "macs_wt_a32": 16 * 144 * 64,
        "bit_operations": 64.0 * 16 * 27 * 64 + 2 * 32 * 16 * 144 * 64,
    }


def test_the_memory_of_a_fresh_process_is_its_own(planned: dict[str, Planned], bench: Bench) -> None:
    """A process that forks takes its own peak along in `ru_maxrss`: 300 MB here, which the new one must not show."""
    made = bench.quantized(planned["bits/w8c-a8t"].trial, Phases(Clock()))
    with build_session(made, threads=1) as session:
        session.compile()  # as for every row before: a compiler in the new process would be in its peak
    ballast = np.ones(300 * 2**20, np.uint8)
    with packed(made, bench.inputs, party="", threads=1, variant="auto", most=8) as one:
        found = fresh(one, (1, 8), clock=Clock())
    assert ballast[-1] == 1
    assert 2e7 < found.peaks[1] <= found.peaks[8] < 2e8
    assert found.answer.shape == (1, 4)


def test_rows_of_before_read_as_they_did(row: TrialResult) -> None:
    plain = replace(row, observed={})
    assert "observed" not in json.loads(encode_row(plain))


def test_times_over_processes_are_of_every_party_in_each(planned: dict[str, Planned], bench: Bench) -> None:
    item = planned["speed/w8c-a8t"]
    item = replace(item, trial=replace(item.trial, batch_sizes=(8,)), measure=("accuracy", "speed"))
    bench.references = References(("onnxruntime-fp32",))
    rules = replace(ROUGH, precision=100.0, processes=2)
    row = run_trial(item, bench, cache_hash="h", rules=rules, clock=Clock())
    assert (row.status, row.reason) == ("ok", "")
    assert [found.cell for found in row.measurements] == ["qbench", "onnxruntime-fp32"]
    for found in row.measurements:
        assert len(found.processes) == 2
        assert sum(found.processes) == len(found.samples_s)
    assert decode_row(encode_row(row), "network", place="here") == row
