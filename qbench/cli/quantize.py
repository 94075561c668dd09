"""`qbench quantize`: one network, once: saved, scored, timed, and why it is not faster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from qbench.cli.options import numbers, spec_options
from qbench.errors import QBenchError

if TYPE_CHECKING:
    from rich.console import Console

    from qbench.results.quantized import QuantizedResult


@click.command(
    epilog="Examples: qbench quantize mine.onnx --data images/ --spec w8c-a8t -o out/ | qbench quantize resnet20 "
    "--data cifar10-shard --spec w4c-a8t --layers first=w8c-a8t,last=w8c-a8t --correction both -o out/"
)
@click.argument("model")
@spec_options
@click.option(
    "--correction", default="none", show_default=True, help="Mend after rounding: none, bias, variance or both."
)
@click.option("--data", required=True, help="Folder of images (a folder a class: labelled), .npz file, or known name.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of all that is written.")
@click.option("--calibration", type=int, help="Calibration images; 512, or as many as there are, without it.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draw of images.")
@click.option("--limit", type=int, help="Evaluate at most so many images.")
@click.option("--mean", callback=numbers, help="Of a folder's images, a number a channel: 0.485,0.456,0.406.")
@click.option("--std", callback=numbers, help="Of a folder's images, a number a channel.")
@click.option("--batch", "batches", default="1,32", show_default=True, callback=numbers, help="Images a timed call.")
@click.option(
    "--references", default="onnxruntime-fp32", show_default=True, help="Libraries timed in turns (qbench list peers)."
)
@click.option("--quick", is_flag=True, help="Time roughly: 5 %, and 0.3 s a cell at most.")
@click.option("--no-times", is_flag=True, help="Score only.")
def quantize(
    model: str,
    spec: str,
    method: str,
    layers: str,
    correction: str,
    variant: str,
    threads: int,
    data: str,
    out: Path,
    calibration: int | None,
    seed: int,
    limit: int | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    batches: tuple[float, ...],
    references: str,
    quick: bool,
    no_times: bool,
) -> int:
    """Quantize a network once.

    MODEL is an ONNX file or a packaged network. OUT gets the quantized network (network.json, network.safetensors), its
    report with a timeline, and all numbers (quantized.json). Accuracy is scored where the images carry labels,
    agreement with fp32 always.
    """
    from qbench.cli.style import make_console
    from qbench.report.quantized import write_quantized_report
    from qbench.runner.own_network import Asked
    from qbench.runner.quantize import quantize_asked

    if any(batch != int(batch) for batch in batches):
        raise QBenchError(f"--batch: expected whole numbers, got {', '.join(f'{batch:g}' for batch in batches)}")
    asked = Asked(
        model=model, spec=spec, method=method, overrides=layers, correction=correction, variant=variant,
        threads=threads, data=data, calibration=calibration, seed=seed, limit=limit, mean=mean, std=std,
        batch_sizes=tuple(int(batch) for batch in batches),
        references=tuple(word.strip() for word in references.split(",") if word.strip()),
    )  # fmt: skip
    console = make_console()

    def tell(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True, style="dim")

    found = quantize_asked(asked, out, timed=not no_times, quick=quick, tell=tell)
    written = write_quantized_report(found.result, out)
    _show(console, found.result)
    console.print(f"saved   {out} (read again: the same logits, bit for bit)", markup=False, highlight=False)
    for path in written:
        console.print(f"wrote   {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _show(console: Console, result: QuantizedResult) -> None:
    from qbench.cli.style import plain_table
    from qbench.report.quantized import LAYER_HEADINGS, layer_cells, score_rows
    from qbench.results.why import reasons

    table = plain_table(*LAYER_HEADINGS, right=LAYER_HEADINGS[4:10], title="layers")
    for cells in layer_cells(result):
        table.add_row(*cells)
    console.print(table)
    table = plain_table("", "quantized", "fp32", right=("quantized", "fp32"))
    for row in score_rows(result):
        table.add_row(*row)
    console.print(table)
    console.print("where its time goes, and why it is not faster:", highlight=False)
    for line in reasons(result):
        console.print(f"- {line}", markup=False, highlight=False)
    for word, lines in (("alarm", result.row.alarms), ("note", result.row.notes)):
        for line in lines:
            console.print(f"- {word}: {line}", markup=False, highlight=False, style="yellow")
