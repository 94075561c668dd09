"""The arguments that several commands share: a suite and what changes it, a network and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from qbench.errors import QBenchError

if TYPE_CHECKING:
    from qbench.suite import AnySuite

Command = TypeVar("Command", bound=Callable[..., Any])


def suite_options(command: Command) -> Command:
    """Add SUITE, -o, --filter and --set."""
    return click.argument("suite", type=click.Path(path_type=Path))(suite_changes(command))


def suite_changes(command: Command) -> Command:
    """Add -o, --filter and --set."""
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change one key of the suite, e.g. timing.precision=0.05; repeatable.",
        ),
        click.option(
            "--filter",
            "filter_text",
            metavar="EXPR",
            help="Run only the trials that match EXPR, e.g. 'bits <= 4 and method == mse'.",
        ),
        click.option(
            "-o", "--out", type=path, default=Path("results"), show_default=True, help="Folder for all results."
        ),
    ):
        command = option(command)
    return command


def load(suite: Path, filter_text: str | None, overrides: tuple[str, ...]) -> AnySuite:
    """Return the suite with what the command line changes in it."""
    import json

    from qbench.suite import load_suite

    filters = () if filter_text is None else (f"filter={json.dumps(filter_text)}",)
    return load_suite(suite, overrides=(*overrides, *filters))


def shape_option(command: Command) -> Command:
    """Add --shape and --bind, which together say what is fixed of inputs."""
    command = click.option(
        "--bind",
        multiple=True,
        callback=_bound,
        is_eager=True,
        expose_value=False,
        metavar="INPUT=NUMBER",
        help="The one number that an input always is, e.g. sr=16000: it is no input then; repeatable.",
    )(command)
    return click.option(
        "--shape",
        "shapes",
        multiple=True,
        callback=_shapes,
        metavar="INPUT=SIZES",
        help="Sizes, without the batch, of an input that the file leaves free, e.g. x=3x48x192; repeatable.",
    )(command)


def data_options(command: Command) -> Command:
    """Add --data, --limit, --mean, --std, --resize and --crop."""
    for option in (
        click.option(
            "--crop",
            callback=whole_numbers,
            metavar="N",
            help="Cut out the middle N x N (N,N: height,width) of your own images.  [default: the network's size]",
        ),
        click.option(
            "--resize",
            callback=whole_numbers,
            metavar="N",
            help="Scale the shorter side of your own images to N pixels (N,N: height,width) before they are cut, e.g. "
            "256.",
        ),
        click.option(
            "--std", callback=numbers, metavar="N,N,N", help="Per-channel standard deviation, e.g. 0.229,0.224,0.225."
        ),
        click.option(
            "--mean",
            callback=numbers,
            metavar="N,N,N",
            help="Per-channel mean to normalize your own images with, on a scale of 0 to 1, e.g. 0.485,0.456,0.406.",
        ),
        click.option("--limit", type=click.IntRange(min=1), help="Evaluate on at most this many samples."),
        click.option(
            "--data",
            help="Folder of images (one subfolder per class gives labels), .npz file (an array for each input), or a "
            "name of `qbench list data`.  [default: what suits a packaged network]",
        ),
    ):
        command = option(command)
    return command


def spec_options(command: Command) -> Command:
    """Add --spec, --recipe, --method, --layers, --shape, --variant and --threads."""
    rules = "Specs for single layers, e.g. first=w8c-a8t,depthwise=w8c-a8t,blocks.*.conv1=w4g32-a8t; repeatable."
    for option in (
        click.option("--threads", type=int, default=2, show_default=True, help="Number of threads."),
        click.option(
            "--variant", default="auto", show_default=True, help="Force one kernel variant; `qbench system` lists them."
        ),
        shape_option,
        click.option("--layers", multiple=True, callback=_joined, metavar="RULES", help=rules),
        click.option(
            "--method",
            help="Older form of --recipe: only the method, e.g. mse; `qbench list methods` lists them.",
        ),
        click.option(
            "--recipe",
            help="Stages that make the quantized network, e.g. mse, mse/both, cle/mse+gptq/bias; see "
            "`qbench list methods` and `qbench list stages`.  [default: mse]",
        ),
        click.option(
            "--spec",
            default="w8c-a8t",
            show_default=True,
            help="Spec for every layer that no --layers rule matches, e.g. w4g32-a8t.",
        ),
    ):
        command = option(command)
    return command


def recipe_of(recipe: str | None, method: str | None, correction: str | None = None) -> str:
    """Return the recipe that --recipe says, or the older --method and --correction; raise QBenchError for both."""
    if recipe is not None and (method or correction):
        raise QBenchError(f"--recipe {recipe}: it cannot be combined with {'--method' if method else '--correction'}")
    if recipe is not None:
        return recipe
    return "/".join([method or "mse"] + ([correction] if correction and correction != "none" else []))


def _shapes(
    context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> dict[str, tuple[int, ...] | float]:
    from qbench.graph.readers import parse_shapes

    return {**parse_shapes(value), **context.meta.get(_BOUND, {})}


def _bound(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    """Keep numbers for `_shapes`, which is called later."""
    from qbench.graph.readers import parse_bound

    context.meta[_BOUND] = parse_bound(value)


_BOUND = "qbench.bound"


_MAKE = ("spec", "recipe", "method", "correction", "layers")
_KEEP = "--keep runs its codes and scales as they are; --spec w8c-a8t quantizes anew the float32 network behind them"


def keep_option(command: Command) -> Command:
    """Add --keep."""
    told = "Run what a quantized file says as it is: no calibration, no rounding anew."
    return click.option("--keep", is_flag=True, help=told)(command)


def keeps(context: click.Context, model: str, *, keep: bool, choose: bool) -> bool:
    """Return whether a network's file is run as it is.

    Args:
        context: knows which options were given.
        model: the network as it was named.
        keep: whether --keep was given.
        choose: whether a quantized file without a word about it is kept, and not refused.

    Raises:
        QBenchError: options contradict each other, or a quantized file is given without a choice.
    """
    source = click.core.ParameterSource.COMMANDLINE
    named = [name for name in _MAKE if name in context.params and context.get_parameter_source(name) is source]
    if keep and named:
        raise QBenchError(f"--keep: it takes the file as it is, and cannot be combined with --{named[0]}")
    if keep or named:
        return keep
    from qbench.graph.readers import holds_codes

    quantized = Path(model).is_file() and holds_codes(Path(model))  # packaged networks are float32
    if quantized and not choose:
        raise QBenchError(f"{model}: the file is quantized already: {_KEEP}")
    return quantized


def _joined(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> str:
    return ",".join(value)


def numbers(_context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Return the numbers of `0.1,0.2`; raise QBenchError for anything else."""
    if value is None:
        return None
    try:
        return tuple(float(word) for word in value.split(","))
    except ValueError:
        raise QBenchError(f"{parameter.opts[0]}: expected numbers separated by commas, got '{value}'") from None


def whole_numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Return the whole numbers of `1,32`; raise QBenchError for anything else."""
    found = numbers(context, parameter, value)
    if found is None:
        return None
    if not all(number.is_integer() for number in found):
        got = ", ".join(f"{number:g}" for number in found)
        raise QBenchError(f"{parameter.opts[0]}: expected whole numbers, got {got}")
    return tuple(int(number) for number in found)
