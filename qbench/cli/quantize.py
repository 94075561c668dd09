"""`qbench quantize`: one network with one recipe: saved, scored, timed, and why it is not faster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.options import data_options, keep_option, keeps, recipe_of, spec_options, whole_numbers
from qbench.cli.told import json_option, table_of, tell_json, wide_option
from qbench.core.recipe import KEEP

if TYPE_CHECKING:
    from rich.console import Console

    from qbench.results.kept.quantized import QuantizedResult
    from qbench.runner.own.once import Quantization


@click.command(
    epilog="Examples: qbench quantize mine.onnx --data images/ --spec w8c-a8t -o out/ | qbench quantize resnet20 "
    "--data cifar10-shard --spec w4c-a8t --layers first=w8c-a8t,last=w8c-a8t --recipe mse/both -o out/"
)
@click.argument("model")
@spec_options
@keep_option
@click.option("--correction", help="Last stage of a recipe: none, bias, variance or both (older form of --recipe).")
@data_options
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for all that is written.")
@click.option(
    "--calibration", type=int, help="Number of calibration images.  [default: 512, or a quarter of fewer than 2,048]"
)
@click.option(
    "--source",
    default="data",
    show_default=True,
    metavar="WORD",
    help="Where calibration images come from: data, noise, batch-norm (images learned of the network's batch norms), "
    "or none (for recipes that look at weights alone).",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the draw of calibration and evaluation images.",
)
@click.option(
    "--batch",
    "batches",
    default="1,32",
    show_default=True,
    callback=whole_numbers,
    metavar="N,N",
    help="Batch sizes to time, in images per call.",
)
@click.option(
    "--references",
    default="onnxruntime-fp32",
    show_default=True,
    metavar="NAMES",
    help="Libraries to time in turns with qbench, separated by commas; `qbench list peers` lists them.",
)
@click.option(
    "--accumulator",
    default="",
    metavar="BITS",
    help="Also score with sums of so many bits, wrapping and saturating (16), or one of them (16-wrap).",
)
@click.option("--quick", is_flag=True, help="Time roughly: to 5 %, for at most 0.3 s per timed cell.")
@click.option("--no-times", is_flag=True, help="Score only, measure no times.")
@click.option("-v", "--verbose", is_flag=True, help="Print every layer too.")
@json_option
@wide_option
@click.pass_context
def quantize(
    context: click.Context,
    /,
    model: str,
    out: Path,
    quick: bool,
    no_times: bool,
    keep: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Quantize one network: save it, score it, time it.

    MODEL is an ONNX file or a packaged network; with --keep, a file that is quantized already. OUT gets the quantized
    network (network.json, network.safetensors), its report with a timeline, and its rows, which `qbench report` and
    `qbench compare` read. Agreement with fp32 is always scored, accuracy too if the images have labels.
    """
    from qbench.cli.terminal.style import make_console, say
    from qbench.report import write_report
    from qbench.report.quantized import write_quantized_report
    from qbench.runner.own.once import quantize_asked
    from qbench.runner.own.request import Asked
    from qbench.zoo import data_for

    data, verbose = data_for(model, given.pop("data") or ""), given.pop("verbose")
    wishes = _wishes(given)
    if keeps(context, model, keep=keep, choose=False):
        wishes["recipe"] = KEEP
    asked = Asked(model=model, **wishes, data=data)
    console, progress = make_console(), make_console(errors=True)

    def tell(text: str) -> None:
        progress.print(text, soft_wrap=True, style="dim")

    found = quantize_asked(asked, out, timed=not no_times, quick=quick, tell=tell)
    written = write_quantized_report(found.result, out)
    page = write_report([out], out)
    if as_json:
        return tell_json("quantize", folder=out, page=page, files=written, **_facts(found))
    for line in found.remarks:
        say(console, line, style="yellow")
    _show(console, found.result, verbose=verbose)
    say(console, f"saved   {out} (reloaded: same logits, bit for bit)")
    for path in (*written, page):
        say(console, f"wrote   {path}")
    return 0


def _wishes(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options as the fields of `Asked`."""
    batches, names = given.pop("batches"), given.pop("references").split(",")
    recipe = recipe_of(given.pop("recipe"), given.pop("method"), given.pop("correction"))
    rules = given.pop("layers")
    return {
        **given,
        "recipe": recipe,
        "overrides": rules,
        "batch_sizes": batches,
        "references": tuple(word.strip() for word in names if word.strip()),
    }


def _facts(found: Quantization) -> dict[str, Any]:
    """Return what came of it as `--json` tells it."""
    from qbench.report.quantized import LAYER_HEADINGS, layer_cells, score_rows
    from qbench.results.kept.why import reasons

    return {
        "scores": table_of(("what", "quantized", "fp32"), score_rows(found.result)),
        "reasons": list(reasons(found.result)),
        "remarks": found.remarks,
        "alarms": found.result.row.alarms,
        "notes": found.result.row.notes,
        "metrics": {name: metric.value for name, metric in found.result.row.metrics.items()},
        "layers": table_of(LAYER_HEADINGS, layer_cells(found.result)),
    }


def _show(console: Console, result: QuantizedResult, *, verbose: bool) -> None:
    """Print scores, times and why it is not faster; every layer too where `verbose` is true."""
    from qbench.cli.terminal.style import print_fitting, say
    from qbench.report.quantized import LAYER_HEADINGS, layer_cells, score_rows
    from qbench.results.kept.why import reasons

    columns = ("", "quantized", "fp32")
    print_fitting(console, score_rows(result), headings=columns, wrap=("",), right=columns[1:])
    say(console, "where its time goes, and why it is not faster:")
    for line in reasons(result):
        say(console, f"- {line}")
    for word, lines in (("alarm", result.row.alarms), ("note", result.row.notes)):
        for line in lines:
            say(console, f"- {word}: {line}", style="yellow")
    if verbose:
        rows = [tuple(cells) for cells in layer_cells(result)]
        drop = ("largest sum", "bits of sums", "kernel", "assigned", *LAYER_HEADINGS[11:4:-1])
        print_fitting(console, rows, headings=LAYER_HEADINGS, drop=drop)
