"""`qbench plan`: show what a suite would run, or how a network would be quantized (decided by the file type)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from qbench.cli.options import keep_option, keeps, load, recipe_of, spec_options, suite_changes
from qbench.cli.told import json_option, tell_json, wide_option
from qbench.core.recipe import KEEP
from qbench.errors import QBenchError, suggest

if TYPE_CHECKING:
    from qbench.runner import Plan
    from qbench.runner.own.layer_plan import ModelPlan

_OF_SUITES = {"out", "filter_text", "overrides", "quick", "fresh"}
_OF_MODELS = {"spec", "recipe", "method", "layers", "keep", "shapes", "variant", "threads"}
_MADE = {"spec", "recipe", "method", "layers", "keep", "shapes"}
_SUITES = (".yaml", ".yml")


@click.command(
    epilog="Examples: qbench plan suites/resnet.yaml --filter 'bits <= 4 and method == mse' | qbench plan mine.onnx "
    "--spec w4c-a8t --layers first=w8c-a8t"
)
@click.argument("target", type=click.Path(path_type=Path))
@suite_changes
@spec_options
@keep_option
@click.option("--quick", is_flag=True, help="Plan for `qbench run --quick`.")
@click.option("--fresh", is_flag=True, help="Plan for `qbench run --fresh`: no row is reused.")
@json_option
@wide_option
@click.pass_context
def plan(
    context: click.Context, /, target: Path, out: Path, filter_text: str | None, overrides: tuple[str, ...],
    **given: Any,
) -> int:  # fmt: skip
    """Preview a suite, or the quantization of a network.

    TARGET is a suite (SUITE.yaml): its trials, which are new, cached or skipped (and why), and an estimate of the time.
    Or TARGET is a network (MODEL.onnx, a name of `qbench list models`, or the folder of a saved one): what would run in
    integers, what would stay in float and why, with kernels, layouts, memory and operations. A file that is quantized
    already is planned as it is, unless --spec or --recipe quantizes it anew.
    """
    named = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if _is_model(target):
        _refuse(context, named & _OF_SUITES, f"{target} is a network; this option is for suites")
        if target.is_dir():
            _refuse(context, named & _MADE, f"{target} is already quantized; this option is for ONNX files")
        from qbench.runner.own.layer_plan import plan_model
        from qbench.runner.own.request import Asked

        recipe = recipe_of(given["recipe"], given["method"])
        if not target.is_dir() and keeps(context, str(target), keep=given["keep"], choose=True):
            recipe = KEEP
        asked = Asked(
            str(target),
            given["spec"],
            recipe,
            given["layers"],
            variant=given["variant"],
            threads=given["threads"],
            shapes=given["shapes"],
        )
        model = plan_model(asked)
        if given["as_json"]:
            facts = {"operations": model.operations, "integer_operations": model.integer_operations}
            return tell_json("plan", **facts, **asdict(model))
        _show_model(model)
        return 0
    _refuse(context, named & _OF_MODELS, f"{target} is a suite; this option is for networks")
    from qbench.runner import plan_run

    each = load(target, filter_text, overrides).each()
    plans = (plan_run(one, out, fresh=given["fresh"], quick=given["quick"]) for one in each)
    if given["as_json"]:
        return tell_json("plan", suites=[_facts(found) for found in plans])
    for found in plans:
        _show(found)
    return 0


def _is_model(path: Path) -> bool:
    """Return whether a path is a network: a file of a known format, a packaged name, the folder of a saved one."""
    if path.suffix.lower() in _SUITES:
        return False
    from qbench.graph.readers import READERS, is_network_file

    if is_network_file(path) or path.is_dir():
        return True
    from qbench.suite import packaged_suites
    from qbench.zoo import MODELS

    known = (*MODELS, *packaged_suites())
    if str(path) not in known and not path.exists():
        hint = suggest(str(path), known)
        formats = ", ".join(READERS)
        raise QBenchError(
            f"{path}: expected a suite (.yaml), a network ({formats}) or the name of a packaged one{hint}"
        )
    return str(path) in MODELS


def _refuse(context: click.Context, names: set[str], why: str) -> None:
    """Raise QBenchError for an option that goes with the other kind of file."""
    for parameter in context.command.params:
        if parameter.name in names:
            raise QBenchError(f"{parameter.opts[-1]}: {why}")


def _facts(found: Plan) -> dict[str, Any]:
    """Return what a plan holds as `--json` tells it."""
    from qbench.cli.kind import state_of

    rows = [
        {
            "key": job.trial.key, "measure": list(job.measure), "state": state_of(found, job),
            "estimate_s": job.estimate_s, "reason": job.reason,
        }
        for job in found.jobs
    ]  # fmt: skip
    return {
        "suite": found.suite.name,
        "folder": found.folder,
        "estimate_s": found.estimate_s,
        "remarks": found.remarks,
        "rows": rows,
    }


def _show(found: Plan) -> None:
    """Print how much there is to do, then every row."""
    from qbench.cli.kind import words_of
    from qbench.cli.terminal.style import duration, make_console, say

    console, words = make_console(), words_of(found.suite.kind)
    to_run = len([job for job in found.new if not job.reason])
    say(
        console,
        f"{found.suite.name}: {len(found.jobs)} {words.rows}: {to_run} to run, {len(found.cached)} cached, "
        f"{len(found.skipped)} skipped; about {duration(found.estimate_s)}",
    )
    say(console, f"continues {found.folder}" if found.folder else "starts a new run")
    for remark in found.remarks:
        say(console, remark)
    words.show_plan(console, found)


def _show_model(found: ModelPlan) -> None:
    """Print how much runs in integers, what does not and why, then every step."""
    from qbench.cli.terminal.style import make_console, print_fitting, say

    console = make_console()
    for line in _model_lines(found):
        say(console, line)
    headings = (
        "step", "operator", "assigned", "runs in", "kernel", "writes", "Mop", "sum, bits", "weights, bytes",
        "output, bytes",
    )  # fmt: skip
    rows = [
        (
            step.name, step.operator, step.assigned, "integers" if step.integer else "float32", step.kernel,
            step.layout, f"{step.operations / 1e6:.2f}", str(step.sum_bits or ""), f"{step.weight_bytes:,}",
            f"{step.activation_bytes:,}",
        )
        for step in found.steps
    ]  # fmt: skip
    drop = ("sum, bits", "output, bytes", "kernel", "writes", "weights, bytes", "assigned")
    print_fitting(console, rows, headings=headings, drop=drop, right=headings[6:], title=found.name)


def _model_lines(found: ModelPlan) -> Iterator[str]:
    """Yield what a network's plan comes to, the share of integers first."""
    share = 100 * found.integer_operations / max(1, found.operations)
    yield (
        f"{share:.1f} % of {found.operations / 1e6:,.1f} Mop per image run in integers ({found.execution}); weights "
        f"{found.weight_bytes:,} bytes; buffers {found.buffer_bytes:,} bytes for {found.micro_batch} images per pass "
        f"on {found.threads} threads; output bytes are those of one image"
    )
    why: dict[str, list[str]] = {}
    for step in found.steps:
        if step.why:
            why.setdefault(step.why, []).append(step.name)
    for reason, names in why.items():
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        yield f"in float32: {', '.join(names[:6])}{more}: {reason}"
    sums = [step.sum_bits for step in found.steps if step.sum_bits]
    if sums:
        yield (
            f"sums: {max(sums)} bits hold every one, proven from the weights; {sum(bits <= 16 for bits in sums)} of "
            f"{len(sums)} layers fit 16 (quantize --accumulator simulates fewer)"
        )
