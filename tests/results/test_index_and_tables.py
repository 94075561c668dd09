"""The frame and the tables: every number is recomputed from the raw rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from qbench.core.trial import Metric, TrialResult
from qbench.errors import ResultsError
from qbench.metrics import kinds
from qbench.results import frame, read_run, write_tables
from qbench.results.columns import TARGET, TIMED, TRIAL
from qbench.results.index import ceiling_of_kernel

MakeRow = Callable[..., TrialResult]
MakeRun = Callable[..., Path]


@pytest.fixture
def folder(make_run: MakeRun, make_row: MakeRow) -> Path:
    skipped = make_row("wtc-a8t", status="skipped", reason="cannot | do", metrics={}, correct="", measurements=())
    return make_run(
        "a",
        make_row("w32-a32", wrong=20, times_s=(0.0041,) * 9),
        make_row("w4g32-a8t", wrong=30, times_s=(0.001, 0.0011, 0.0012) * 3),
        skipped,
    )


def test_a_row_says_in_words_what_its_spec_means(folder: Path) -> None:
    table = frame(read_run(folder)).set_index("spec")
    row = table.loc["w4g32-a8t"]
    words = ("scope", "bits", "weight_bits", "activation_bits", "format", "granularity")
    assert [row[name] for name in words] == ["full", 4, 4, 8, "uniform", "group32"]
    assert [table.loc["w32-a32"][name] for name in words] == ["none", 32, 32, 32, "float32", ""]


def test_the_drop_is_paired_with_the_fp32_row(folder: Path) -> None:
    row = frame(read_run(folder)).set_index("spec").loc["w4g32-a8t"]
    assert row["top1_drop_points"] == pytest.approx(2.5)
    assert row["top1_drop_points_low"] < 2.5 < row["top1_drop_points_high"]
    assert row["mcnemar_p"] == pytest.approx(2.0**-10)
    assert row["target"] == "lost"
    assert (row["right_to_wrong_samples"], row["wrong_to_right_samples"]) == (10, 0)


def test_the_fp32_row_loses_nothing_against_itself(folder: Path) -> None:
    row = frame(read_run(folder)).set_index("spec").loc["w32-a32"]
    assert row["top1_drop_points"] == 0.0
    assert row["mcnemar_p"] == 1.0


def test_times_become_throughput_with_an_interval_and_a_paired_speedup(folder: Path) -> None:
    row = frame(read_run(folder)).set_index("spec").loc["w4g32-a8t"]
    assert row["images_per_s_b8"] == pytest.approx(8 / 0.0011)
    assert row["images_per_s_b8_low"] == pytest.approx(8 / 0.0012)
    assert row["images_per_s_b8_high"] == pytest.approx(8 / 0.001)
    assert row["latency_s_b8"] == pytest.approx(0.0011)
    assert row["speedup_onnxruntime-fp32_b8"] == pytest.approx(4 / 1.1)
    assert row["images_per_s_onnxruntime-fp32_b8"] == pytest.approx(2000.0)
    assert row["gops_b8"] == pytest.approx(8e6 / 0.0011 / 1e9)


def test_a_row_carries_its_share_of_the_ceiling_of_its_arithmetic(make_run: MakeRun, make_row: MakeRow) -> None:
    times = (0.001,) * 9
    names = ("first", "middle", "last")
    kernels = dict(
        zip(names, ("conv_u8_s8_u8/x86_vnni", "conv_b1_b1_u8/x86_vnni", "gemm_u8_s8_f32/x86_vnni"), strict=True)
    )
    work = tuple({"name": name, "operations": size} for name, size in zip(names, (10, 100, 10), strict=True))
    popcount = make_row("wbc-abt", times_s=times, kernels=kernels, layer_rows=work)
    simulated = make_row("w4logc-a8t", times_s=times, execution="simulated")
    table = frame(read_run(make_run("a", make_row(times_s=times), popcount, simulated))).set_index("spec")
    assert list(table["ceiling_b8"]) == ["int8_gops_all", "popcount_gops_all", "float32_gflops_all"]
    assert list(table["ceiling_share_b8"]) == pytest.approx([8 / 4, 8 / 9, 8.0])


def test_a_row_without_measurement_has_no_figures(folder: Path) -> None:
    row = frame(read_run(folder)).set_index("spec").loc["wtc-a8t"]
    assert row["status"] == "skipped"
    assert pd.isna(row["top1_percent"])
    assert pd.isna(row["images_per_s_b8"])
    assert pd.isna(row["top1_drop_points"])


def test_a_peers_row_names_its_own_cell_by_its_backend(make_run: MakeRun, make_row: MakeRow) -> None:
    plain = make_row(times_s=(0.001,) * 9)
    peer = replace(plain, trial=replace(plain.trial, backend="onnxruntime-fp32"))
    row = frame(read_run(make_run("a", peer))).iloc[0]
    assert row["images_per_s_b8"] == pytest.approx(2000.0)
    assert row["speedup_qbench_b8"] == pytest.approx(0.25)


def test_bits_that_do_not_fit_the_images_are_refused(make_run: MakeRun, make_row: MakeRow) -> None:
    with pytest.raises(ResultsError, match="expected 50 bytes for 400 images, got 2"):
        frame(read_run(make_run("a", make_row("w32-a32"), make_row(correct="AAA="))))


def test_every_column_is_documented(folder: Path) -> None:
    documented = {column.name for column in (*TRIAL, TARGET)} | {"alarms", "notes"} | set(kinds())
    patterns = [column.name.split("<")[0] for column in TIMED] + ["phase_"]
    stored = {name for result in read_run(folder).results for name in result.metrics}
    for name in frame(read_run(folder)).columns:
        plain = name.removesuffix("_low").removesuffix("_high")
        assert plain in documented | stored or any(plain.startswith(start) for start in patterns), name


def test_the_three_tables_hold_the_same_rows(folder: Path) -> None:
    run = read_run(folder)
    assert [path.name for path in write_tables(run)] == ["table.csv", "table.md", "trials.parquet"]
    expected = list(frame(run)["key"])
    assert list(pd.read_csv(folder / "table.csv")["key"]) == expected
    assert list(pd.read_parquet(folder / "trials.parquet")["key"]) == expected
    lines = (folder / "table.md").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("| ") for line in lines) == len(expected) + 1
    assert any("2.50 [" in line and "w4g32-a8t" in line for line in lines)


def test_a_reason_cannot_break_the_table(folder: Path) -> None:
    write_tables(read_run(folder))
    assert "cannot \\| do" in (folder / "table.md").read_text(encoding="utf-8")


def test_tables_are_written_twice_alike(folder: Path) -> None:
    first = {path.name: path.read_bytes() for path in write_tables(read_run(folder))}
    second = {path.name: path.read_bytes() for path in write_tables(read_run(folder))}
    assert first == second


def test_a_table_that_cannot_be_written_is_one_line(folder: Path) -> None:
    (folder / "table.csv").mkdir()
    with pytest.raises(ResultsError, match=r"table\.csv: cannot write: Is a directory"):
        write_tables(read_run(folder))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (93.456, "93.46"), (0.1234, "0.12"), (0.0004321, "4.3e-04"), (12345.6, "12346"), (-2.5, "-2.50")],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    from qbench.results.tables import number_text

    assert number_text(value) == text


def test_a_metric_without_a_value_is_an_empty_cell(make_run: MakeRun, make_row: MakeRow) -> None:
    table = frame(read_run(make_run("a", make_row(metrics={"logit_sqnr_db": Metric(None, "dB")}))))
    assert pd.isna(table.iloc[0]["logit_sqnr_db"])


@pytest.mark.parametrize(
    ("kernel", "ceiling"),
    [
        ("conv_u8_s8_u8/x86_avx2", "int8_gops"), ("conv_u8_s4_u8/x86_avx2", "short_gops"),
        ("conv_u8_s4_u8/x86_vnni", "int8_gops"), ("conv_u8_s7_u8/x86_avx2", "int8_gops"),
        ("conv_b1_b1_s32/x86_avx2", "popcount_gops"),
    ],
)  # fmt: skip
def test_the_ceiling_of_a_kernel_is_that_of_its_arithmetic(kernel: str, ceiling: str) -> None:
    assert ceiling_of_kernel(kernel) == ceiling
