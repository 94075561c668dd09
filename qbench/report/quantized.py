"""The report of one quantized network: `report.md`, `layers.csv` and the timeline, all from `quantized.json`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from qbench.core.trial import Metric, Trial
from qbench.errors import ResultsError
from qbench.metrics import load_task, speed
from qbench.report.figures import write_files
from qbench.report.plots import timeline
from qbench.results.kept.quantized import QuantizedResult
from qbench.results.kept.why import own_measurements, reasons, step_ceiling_share
from qbench.results.markdown import table_lines
from qbench.results.tables import number_text

REPORT_NAME, LAYERS_NAME = "report.md", "layers.csv"

LAYER_HEADINGS = (
    "layer", "assigned", "weights", "input", "Mop per image", "weight SQNR, dB", "largest sum",
    "bits of sums", "time per image, us", "% of time",
    "Gop/s", "% of ceiling", "kernel",
)  # fmt: skip


def write_quantized_report(result: QuantizedResult, out: Path) -> list[Path]:
    """Write `report.md`, `layers.csv`, `timeline.svg` and `timeline.png` into `out` and return their paths.

    Raises:
        ResultsError: they cannot be written.
    """
    drawn = timeline.plot(result)
    files = {REPORT_NAME: markdown(result), LAYERS_NAME: _csv(result)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{out}: cannot write the report: {error.strerror}") from error
    return [*(out / name for name in files), *(write_files(drawn, out) if drawn else [])]


def score_rows(result: QuantizedResult) -> list[tuple[str, str, str]]:
    """Return (what, quantized, fp32) of accuracy, agreement, sizes and speed, for tables."""
    metrics, weights = result.row.metrics, result.model.weights
    rows = []
    task = load_task(result.run.header.suite.task)
    found, fp32_score = metrics.get(task.primary.name), result.fp32.get(task.primary.name)
    if found is not None:
        rows.append((task.heading, _interval(found), "" if fp32_score is None else _interval(fp32_score)))
    if task.loss is not None and task.loss.name in metrics:
        rows.append((task.lost_words, _interval(metrics[task.loss.name]), ""))
    if "agreement_percent" in metrics:
        rows.append(("same first guess as fp32, %", _interval(metrics["agreement_percent"]), ""))
    rows += [
        ("logit SQNR, dB", _value(metrics["logit_sqnr_db"]), ""),
        ("size: information in the codes, bytes", _whole(metrics["theoretical_bytes"]), f"{4 * weights:,}"),
        ("size: packed, bytes", _whole(metrics["packed_bytes"]), ""),
        ("size: the saved files, bytes", f"{result.product.disk_bytes:,}", ""),
        ("size: resident in the kernels' layout, bytes", _whole(metrics["resident_bytes"]), ""),
        ("bits per weight", _value(metrics["bits_per_weight"]), "32"),
    ]
    for one in result.run.results:
        if one.trial.accumulator:
            bits, _, overflow = one.trial.accumulator.partition("-")
            simulated = one.metrics.get(task.primary.name) or one.metrics.get("agreement_percent")
            words = f"{task.heading}, sums of {bits} bits that {overflow}"
            rows.append((words, one.reason if simulated is None else _interval(simulated), ""))
    for batch, own in own_measurements(result).items():
        group = [m for m in result.row.measurements if m.group == own.group and m.cell == "onnxruntime-fp32"]
        fp32 = _interval(speed.images_per_s(group[0])) if group else ""
        rows.append((f"images/s, batch {batch}", _interval(speed.images_per_s(own)), fp32))
    return rows


def layer_cells(result: QuantizedResult) -> Iterator[tuple[str, ...]]:
    """Yield the cells of every layer under `LAYER_HEADINGS`; empty where nothing is known."""
    steps = {step.name: step for step in result.product.steps}
    total_s = sum(step.image_s for step in result.product.steps)
    for layer in result.row.layer_rows:
        step = steps.get(str(layer["name"]))
        share = step_ceiling_share(result, step) if step else None
        sqnr_db = layer.get("sqnr_db")
        timed = ("", "", "") if step is None else (
            f"{1e6 * step.image_s:.2f}", f"{100 * step.image_s / total_s:.1f}",
            f"{step.operations / step.median_s / 1e9:.0f}",
        )  # fmt: skip
        yield (
            str(layer["name"]), str(layer["assigned"]), f"w{layer['spec']}", f"a{layer['activations']}",
            f"{float(layer['operations'] or 0) / 1e6:.2f}", "" if sqnr_db is None else f"{float(sqnr_db):.1f}",
            _count(layer.get("largest_sum")),
            _count(layer.get("sum_bits")), *timed, "" if share is None else f"{share:.0f}", str(layer["kernel"]),
        )  # fmt: skip


def _calibrated(trial: Trial) -> str:
    """Return what the network was calibrated on."""
    if trial.source == "none":
        return "none for calibration"
    return f"{trial.calibration} {f'of {trial.source} ' if trial.source else ''}for calibration"


def _count(value: str | float | int | None) -> str:
    """Return a whole number as text; "" where a layer has none, as in rows of before they were told."""
    return "" if value is None else f"{float(value):,.0f}"


def markdown(result: QuantizedResult) -> str:
    """Return the report as Markdown."""
    trial, data = result.row.trial, result.data
    labels = "labelled" if result.labelled else "without labels"
    lines = [
        f"# {result.model.name}: {trial.spec}, {trial.method}",
        "",
        *([f"Layers with a spec of their own: {trial.overrides.replace(',', ', ')}.", ""] if trial.overrides else []),
        *([f"Corrected after rounding: {trial.correction}.", ""] if trial.correction else []),
        f"{data.images:,} images of {data.name} ({labels}), {_calibrated(trial)}, seed {trial.seed}; "
        f"{result.run.header.suite.threads} threads. Intervals are 95 %.",
        "",
        *table_lines(("", "quantized", "fp32"), score_rows(result)),
        "",
        "## Where its time goes, and why it is not faster",
        "",
        *(f"- {reason}" for reason in reasons(result)),
        *(f"- alarm: {alarm}" for alarm in result.row.alarms),
        *(f"- note: {note}" for note in result.row.notes),
        "",
        *(["![timeline](timeline.svg)", ""] if result.product.steps else []),
        "## Layers",
        "",
        *table_lines(LAYER_HEADINGS, layer_cells(result)),
    ]
    return "\n".join(lines) + "\n"


def _csv(result: QuantizedResult) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(LAYER_HEADINGS)
    writer.writerows(layer_cells(result))
    return buffer.getvalue()


def _value(metric: Metric) -> str:
    return "-" if metric.value is None else number_text(metric.value)


def _whole(metric: Metric) -> str:
    return "-" if metric.value is None else f"{metric.value:,.0f}"


def _interval(metric: Metric) -> str:
    if metric.value is None or metric.low is None or metric.high is None:
        return _value(metric)
    return f"{number_text(metric.value)} [{number_text(metric.low)}, {number_text(metric.high)}]"
