"""The report of one quantized network, from made-up numbers: tables, sentences, the timeline."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from qbench.core.trial import Measurement, Metric, Trial, TrialResult
from qbench.errors import ResultsError
from qbench.report.plots import timeline
from qbench.report.quantized import LAYERS_NAME, REPORT_NAME, markdown, write_quantized_report
from qbench.report.rows import Row
from qbench.report.style import FILE
from qbench.report.view import load
from qbench.results import DataFacts, MachineFacts, ModelFacts, RunHeader, RunWriter, SuiteFacts
from qbench.results.kept.quantized import FILE_NAME, Product, QuantizedResult, StepTime, read_quantized, write_product
from qbench.results.kept.why import reasons, split, step_ceiling_share
from qbench.results.reader import Run

LAYERS = ("stem", "middle|pipe", "last")
CEILINGS = {"int8_gops_1": 8.0, "read_gb_s_1": 40.0}


def metric(value: float | None, half: float | None = None) -> Metric:
    interval = (None, None) if half is None or value is None else (value - half, value + half)
    return Metric(value, "", "none", *interval)


def made_up(folder: Path = Path(), *, threads: int = 1, ceilings: Mapping[str, float] = CEILINGS) -> QuantizedResult:
    """Four images take 1 ms in 3 products, 0.2 ms in a conversion, 0.3 ms in a pool; the whole call 2 ms.

    The first product takes one image at a time, the others four.
    """
    trial = Trial("quantize", "m.onnx", "pictures", "all", "w4c-a8t", "mse", batch_sizes=(8,))
    cells = tuple(
        Measurement("network/batch8", cell, (seconds,) * 6, 1, 8, 10**6, 1)
        for cell, seconds in (("qbench", 0.004), ("onnxruntime-fp32", 0.002))
    )
    names = ("theoretical_bytes", "packed_bytes", "resident_bytes", "bits_per_weight", "logit_sqnr_db")
    metrics = {name: metric(1000.0 + place) for place, name in enumerate(names)}
    metrics |= {"integer_share": metric(0.75), "agreement_percent": metric(98.0, 1.0)}
    row = TrialResult(
        trial, "", "ok", execution="integer", metrics=metrics, measurements=cells,
        kernels=dict.fromkeys(LAYERS, "conv_u8_t4_u8/x86_vnni"),
        layer_rows=tuple(
            {"name": name, "assigned": "w4c-a8t", "spec": "4c", "activations": "8t", "operations": 100_000,
             "sqnr_db": None, "kernel": "conv_u8_t4_u8/x86_vnni"} for name in LAYERS
        ),
        alarms=("looks odd",), notes=("a remark",),
    )  # fmt: skip
    steps = [
        StepTime(name, "conv_u8_t4_u8/x86_vnni", "product", True, 100_000 * images, images, seconds, 250 * images)
        for name, images, seconds in zip(LAYERS, (1, 4, 4), (1.25e-4, 4e-4, 1e-4), strict=True)
    ]
    steps.insert(1, StepTime("middle|pipe:b1", "pack_u8_b1/portable", "conversion", True, 0, 4, 2e-4, 500))
    steps.append(StepTime("pool", "pool_u8_u8/portable", "other", True, 64, 4, 3e-4, 500))
    header = RunHeader(
        qbench_version="0.1.0",
        suite=SuiteFacts(name="quantize", threads=threads, task="fidelity"),
        created_utc="2026-01-02T03:04:05Z",
        model=ModelFacts(name="m", sha256="", layers=LAYERS, weights=2000, operations=300_000),
        data=DataFacts(name="pictures", sha256="", images=50),
        machines={"here": MachineFacts(ceilings=dict(ceilings))},
    )
    product = Product(
        key=trial.key,
        disk_bytes=1234,
        steps=tuple(steps),
        pass_s=2e-3,
        float_reasons={"late": "its weights stay in float32", "later": "its input stays in float32"},
        variant="x86_avx2",
        best_variant="x86_vnni",
    )
    return QuantizedResult(Run(folder, header, (row,)), product)


def kept(result: QuantizedResult, **changes: Any) -> QuantizedResult:
    return replace(result, product=replace(result.product, **changes))


def test_time_is_split_by_what_steps_are() -> None:
    found = split(made_up())
    assert found is not None
    assert found.roles_s == {
        "product": pytest.approx(2.5e-4), "conversion": pytest.approx(5e-5), "other": pytest.approx(7.5e-5)
    }  # fmt: skip
    assert found.rest_s == pytest.approx(1.25e-4)


def test_a_products_share_of_the_ceiling_is_of_one_core() -> None:
    result = made_up()
    assert step_ceiling_share(result, result.product.steps[0]) == pytest.approx(10.0)
    assert step_ceiling_share(result, result.product.steps[1]) is None
    assert step_ceiling_share(made_up(ceilings={}), result.product.steps[0]) is None


def test_the_sentences_hold_the_numbers() -> None:
    assert reasons(made_up()) == (
        "75.0 % of the operations run in integers (integer)",
        "in float: 'late' (its weights stay in float32), and 1 more",
        "instruction path: x86_avx2; the best of this machine is x86_vnni; "
        "plain loops run 2 steps (middle|pipe:b1, pool)",
        "weights below 8 bits are unpacked and multiplied as 8-bit ones: they save bytes, not multiplications",
        "batch 8: 2.00 times slower than onnxruntime-fp32",
        "of a call of 4 images on one thread, products take 50 %, additions, pooling and the like 15 %, "
        "1 conversion, the images' included, 10 %; the rest, 25 %, is the call",
        "products reach 15 % of what one core can do at most, all layers together",
        "the slowest steps: stem 33 % (at 10 % of the ceiling), middle|pipe 27 % (at 12 % of the ceiling), pool 20 %",
        "steps move 0 GB/s on one core; its memory alone gives 40, caches more",
    )


def test_layers_that_leave_products_out_are_told() -> None:
    result = made_up()
    stem = replace(result.product.steps[0], kernel="conv_u8_s8_u8/x86_vnni+winograd")
    found = reasons(kept(result, steps=(stem, *result.product.steps[1:])))
    (reached,) = (line for line in found if line.startswith("products reach"))
    assert reached.endswith("together; 1 layer by Winograd, counting the products that it saves")


def test_more_threads_are_compared_with_one() -> None:
    assert "2 threads at batch 8 are 1.00 times as fast per image as one thread" in reasons(made_up(threads=2))


def test_a_report_without_times_has_no_timeline() -> None:
    result = kept(made_up(), steps=(), pass_s=0.0)
    assert timeline.plot(result) is None
    assert "timeline" not in markdown(result)


def test_the_timeline_has_a_bar_a_step_from_end_to_end() -> None:
    plot = timeline.plot(made_up())
    assert plot is not None
    assert "Products take 66.7" in plot.title
    (axes,) = plot.draw(FILE).axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert len(bars) == 5
    for (start, width), (following, _) in pairwise(bars):
        assert start + width == pytest.approx(following)


def test_all_files_are_written(tmp_path: Path) -> None:
    paths = write_quantized_report(made_up(), tmp_path)
    assert {path.name for path in paths} == {REPORT_NAME, LAYERS_NAME, "timeline.svg", "timeline.png"}
    text = (tmp_path / REPORT_NAME).read_text()
    assert "without labels" in text
    assert "middle\\|pipe" in text
    assert "- alarm: looks odd" in text
    with (tmp_path / LAYERS_NAME).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows] == list(LAYERS)
    assert rows[0]["% of ceiling"] == "10"


def test_a_row_with_rules_names_them_in_its_label(run_folder: Path) -> None:
    row = next(
        row for row in load(run_folder).rows if row.ok and row.result.trial.spec == "w4c-a8t" and row.whole_network
    )

    def label(overrides: str, correction: str = "") -> str:
        trial = replace(row.result.trial, overrides=overrides, correction=correction)
        return Row(replace(row.result, trial=trial), row.record).label

    assert label("last=w8c-a8t", "both") == f"w4c-a8t (last=w8c-a8t) {row.method} + both"
    assert label("first=w8c-a8t,last=w8c-a8t") == f"w4c-a8t (2 layer rules) {row.method}"


def test_what_was_found_reads_back_from_a_run_and_what_stands_beside_it(tmp_path: Path) -> None:
    result = made_up(tmp_path)
    with RunWriter.create(tmp_path, result.run.header) as writer:
        for row in result.run.results:
            writer.append(row)
    write_product(result.product, tmp_path)
    assert read_quantized(tmp_path) == result
    write_product(replace(result.product, key="another"), tmp_path)
    with pytest.raises(ResultsError, match="expected the row of 'another' beside it, found none"):
        read_quantized(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ('{"schema_version": 1}', "expected schema version 2, got 1"),
        ('{"schema_version": 2}', "damaged"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ResultsError, match=message) as refusal:
        read_quantized(tmp_path)
    assert "\n" not in str(refusal.value)
