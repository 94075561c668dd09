"""Nothing that was written is lost: not by a kill, not by a full disk, not by a newer qbench."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.results import SCHEMA_VERSION, RunHeader, RunState, RunWriter, read_run

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]


def test_a_row_is_read_as_it_was_written(make_run: MakeRun, make_row: MakeRow) -> None:
    rows = (make_row("w32-a32"), make_row(times_s=(0.001, 0.0012, 0.0011)))
    assert read_run(make_run("a", *rows)).results == rows


def test_the_header_is_read_as_it_was_written(make_run: MakeRun, make_header: Callable[..., RunHeader]) -> None:
    assert read_run(make_run("a", seconds=3.5)).header == make_header(seconds=3.5)


def test_a_number_that_is_not_finite_is_written_as_null(make_run: MakeRun, make_row: MakeRow) -> None:
    odd = make_row(metrics={"logit_sqnr_db": Metric(math.inf, "dB")}, layer_rows=({"name": "x", "sqnr_db": math.nan},))
    folder = make_run("a", odd)
    json.loads((folder / "trials.jsonl").read_text(), parse_constant=lambda word: pytest.fail(word))
    (found,) = read_run(folder).results
    assert found.metrics["logit_sqnr_db"].value is None
    assert found.layer_rows[0]["sqnr_db"] is None


def test_a_time_that_is_not_finite_is_a_bug_and_is_not_written(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a")
    with RunWriter.open(folder) as writer, pytest.raises(ValueError, match="not JSON compliant"):
        writer.append(make_row(times_s=(math.nan,)))
    assert read_run(folder).results == ()


def test_a_line_torn_by_a_kill_is_cut_off_and_its_trial_is_written_again(make_run: MakeRun, make_row: MakeRow) -> None:
    first, second = make_row(), make_row("w4c-a8t")
    folder = make_run("a", first, second)
    path = folder / "trials.jsonl"
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) - 100, len(whole.splitlines()[0]) + 2):
        path.write_bytes(whole[:length])
        assert [result.trial.key for result in read_run(folder).results] == [first.trial.key]
        with RunWriter.open(folder) as writer:
            assert list(writer.results) == [first.trial.key]
            writer.append(second)
        assert path.read_bytes() == whole


def test_the_last_row_of_a_trial_wins_in_the_place_of_its_first(make_run: MakeRun, make_row: MakeRow) -> None:
    failed = make_row(status="failed", reason="no luck")
    folder = make_run("a", failed, make_row("w4c-a8t"), make_row())
    assert [(result.trial.spec, result.status) for result in read_run(folder).results] == [
        ("w8c-a8t", "ok"),
        ("w4c-a8t", "ok"),
    ]


def test_a_damaged_row_is_named_by_file_and_line(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a", make_row(), make_row("w4c-a8t"))
    path = folder / "trials.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0][:50]}\n{lines[1]}\n")
    with pytest.raises(ResultsError, match=r"trials\.jsonl:1: damaged row"):
        read_run(folder)
    path.write_text(f"{lines[0]}\n{lines[1].replace('mse', 'mse').replace(chr(34) + 'ok' + chr(34), '7')}\n")
    with pytest.raises(ResultsError, match=r"trials\.jsonl:2: damaged row at 'status'"):
        read_run(folder)


def test_results_of_another_schema_version_are_refused(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a", make_row())
    facts = json.loads((folder / "run.json").read_text())
    for version in (3, None, "1"):
        (folder / "run.json").write_text(json.dumps(facts | {"schema_version": version}))
        with pytest.raises(ResultsError, match=r"run\.json: expected results of schema version 2, got"):
            read_run(folder)


def test_a_run_of_version_1_has_one_machine_whose_facts_are_kept(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a", make_row())
    header = json.loads((folder / "run.json").read_text())
    ((_, machine),) = header.pop("machines").items()
    del header["device"]
    suite, state = header.pop("suite"), header.pop("state")
    names = ("name", "title", "text", "sha256")
    header |= {f"suite_{name}": suite.pop(name) for name in names} | suite | state
    machine["environment"] |= {"fingerprint": "f00d", "cuda": {"device": "Some GPU-2"}}
    (folder / "run.json").write_text(json.dumps({**header, **machine, "schema_version": 1}))
    row = json.loads((folder / "trials.jsonl").read_text())
    del row["machine"]
    (folder / "trials.jsonl").write_text(json.dumps(row) + "\n")
    run = read_run(folder)
    assert run.header.schema_version == SCHEMA_VERSION
    assert list(run.header.machines) == ["f00d-some-gpu-2"]
    assert run.header.device == "cuda"
    assert run.header.machine_of(run.results[0].machine).model_dump() == machine
    assert run.results == (make_row(),)


@pytest.mark.parametrize(
    ("text", "expected"), [("{", "damaged"), ("[]", "schema version"), ('{"schema_version": 1}', "at 'q")]
)
def test_a_damaged_header_is_refused_in_one_line(make_run: MakeRun, text: str, expected: str) -> None:
    folder = make_run("a")
    (folder / "run.json").write_text(text)
    with pytest.raises(ResultsError, match=expected) as caught:
        read_run(folder)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="found nothing there"):
        read_run(tmp_path / "none")
    with pytest.raises(ResultsError, match=r"found no run\.json in it"):
        read_run(tmp_path)


def test_latest_names_a_run_as_text_or_as_a_link(make_run: MakeRun, make_row: MakeRow, tmp_path: Path) -> None:
    folder = make_run("a", make_row())
    pointer = tmp_path / "latest"
    pointer.write_text("a\n")
    assert read_run(tmp_path).folder == read_run(pointer).folder == folder
    pointer.write_bytes(b"\xff\0\0")
    with pytest.raises(ResultsError, match=r"found no run\.json in it"):
        read_run(tmp_path)
    pointer.unlink()
    pointer.symlink_to("a")
    assert len(read_run(tmp_path).results) == len(read_run(pointer).results) == 1


def test_a_new_run_does_not_overwrite_another(make_run: MakeRun, make_header: Callable[..., RunHeader]) -> None:
    folder = make_run("a")
    with pytest.raises(ResultsError, match="expected an empty folder"):
        RunWriter.create(folder, make_header())


def test_the_header_is_changed_in_one_step(make_run: MakeRun) -> None:
    folder = make_run("a")
    with RunWriter.open(folder) as writer:
        writer.update_header(state=RunState(finished=True, seconds=2.0))
    assert read_run(folder).header.state.finished
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "trials.jsonl"]


_FILL = """
import resource, signal, sys
from pathlib import Path
from qbench.errors import ResultsError
from qbench.results import RunWriter, read_run
folder = Path(sys.argv[1])
(row,) = read_run(folder).results
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = (folder / "trials.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, size + 100))
with RunWriter.open(folder) as writer:
    try:
        writer.append(row)
    except ResultsError as error:
        print(error)
"""


def test_a_full_disk_is_one_line_and_leaves_every_row_whole(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a", make_row())
    before = (folder / "trials.jsonl").read_bytes()
    done = subprocess.run([sys.executable, "-c", _FILL, folder], capture_output=True, text=True, check=True)
    assert "trials.jsonl: cannot write: File too large; the 1 rows before are kept\n" in done.stdout
    assert (folder / "trials.jsonl").read_bytes() == before


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, make_header: Callable[..., RunHeader]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot make the folder of the run: Not a directory"):
        RunWriter.create(tmp_path / "file" / "run", make_header())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path, make_header: Callable[..., RunHeader]) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResultsError, match="Permission denied"):
        RunWriter.create(tmp_path / "run", make_header())


_APPEND = """
import sys
from dataclasses import replace
from pathlib import Path
from qbench.results import RunWriter, read_run
folder = Path(sys.argv[1])
(row,) = read_run(folder).results
with RunWriter.open(folder) as writer:
    for seed in range(1, 100000):
        writer.append(replace(row, trial=replace(row.trial, seed=seed)))
        print(seed, flush=True)
"""


def test_kill_9_loses_no_row_that_was_reported(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a", make_row())
    with subprocess.Popen([sys.executable, "-c", _APPEND, folder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            reported = int(line)
            if reported == 20:
                break
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
    reported = int(rest[-1]) if rest else reported
    seeds = [result.trial.seed for result in read_run(folder).results]
    assert seeds == list(range(len(seeds)))
    assert len(seeds) > reported


def test_replacing_a_row_does_not_touch_the_others(make_run: MakeRun, make_row: MakeRow) -> None:
    folder = make_run("a", make_row(), make_row("w4c-a8t"))
    with RunWriter.open(folder) as writer:
        writer.append(replace(make_row(), cache_hash="newer"))
    assert [result.cache_hash for result in read_run(folder).results] == ["newer", "hash"]
