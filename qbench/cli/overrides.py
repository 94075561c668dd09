"""`qbench overrides`: specs for single layers, from the sensitivity table of a run, scored together."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qbench.cli.told import json_option, tell_json
from qbench.errors import QBenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qbench.core.rules import Rule
    from qbench.results.reader import NetworkRun
    from qbench.runner.own.joint import Asked, JointPlan


@click.command(epilog="Example: qbench overrides results/resnet/latest --points 0.5")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--points", default=0.3, show_default=True, help="Percentage points of top-1 that all layers together may lose."
)
@click.option(
    "--nats", type=float, help="Nats of KL divergence that they may cost, instead of points: needs no labels."
)
@click.option("--db", type=float, help="Decibels of SQNR that answers must keep, instead of points: needs no labels.")
@click.option("--sweep", default="", help="Sweep of single layers to read, if the run has several.")
@click.option("--recipe", default="", help="Recipe to read, and to make the plan by, if the sweep has several.")
@click.option("--scope", default="", help="What was quantized, if the sweep has several: weights, activations or full.")
@click.option(
    "--activations",
    default="a8t",
    show_default=True,
    help="Activation half of the spec for layers whose weights were tried.",
)
@click.option("--fallback", default="w8c-a8t", show_default=True, help="Spec for layers that keep their bits.")
@click.option(
    "--suite", type=click.Path(path_type=Path), help="The suite of the run, where its network or data lie beside it."
)
@click.option("--candidates", is_flag=True, help="Score nothing: print a candidate, and the command that scores it.")
@json_option
def overrides(
    run: Path, points: float, nats: float | None, db: float | None, *, candidates: bool, as_json: bool, **how: Any
) -> int:
    """Find a spec for every layer, and score them together.

    RUN is a run with a sweep of single layers, of any recipe. What they lose alone says which to try; the network is
    then run with all of them at once, and the boldest plan found that loses at most --points (--nats, --db) is printed
    as the mapping `overrides:`. Paste it into a sweep of a suite, or give it to `qbench quantize --layers`.
    """
    from qbench.core.rules import rules_text
    from qbench.results import read_run
    from qbench.results.sensitivity import overrides_text
    from qbench.runner.own.joint import candidates as candidates_of
    from qbench.runner.own.joint import joint_plan

    found, asked = read_run(run, kind="network"), _asked((points, nats, db), **how)
    if candidates:
        choices, rules = candidates_of(found, asked)[-1]
        if as_json:
            return tell_json(
                "overrides", choices=choices, rules=rules_text(rules), command_to_score=_command(found, asked, rules)
            )
        click.echo("# a candidate, not a plan: its layers were scored alone; this scores them together:")
        click.echo(f"# {_command(found, asked, rules)}")
        click.echo(overrides_text(choices, rules, measure=asked.measure))
        return 0
    plan = joint_plan(found, asked, tell=lambda text: click.echo(text, err=True))
    if as_json:
        facts: dict[str, Any] = {"measure": asked.measure, "lost": plan.lost, "low": plan.low, "high": plan.high}
        return tell_json(
            "overrides", **facts, choices=plan.choices, rules=rules_text(plan.rules), samples=found.header.data.images
        )
    _show(plan, asked, found.header.data.images)
    return 0


def _show(plan: JointPlan, asked: Asked, samples: int) -> None:
    """Print what a plan loses, and the plan."""
    from qbench.results.sensitivity import MEASURES, overrides_text

    measure = MEASURES[asked.measure]
    said, interval = measure.text(plan.lost), f" [{plan.low:.2f}, {plan.high:.2f}]" * (plan.low < plan.high)
    said = f"loses {said}" if asked.measure != "sqnr" else said
    click.echo(f"# scored together on {samples} samples:")
    click.echo(f"# {said}{interval} of {measure.limit(asked.most)}")
    if plan.high > asked.most:
        click.echo("# the interval reaches beyond that: more samples would tell")
    click.echo(overrides_text(plan.choices, plan.rules, measure=asked.measure))


def _asked(
    limits: tuple[float, float | None, float | None], *, sweep: str, recipe: str, scope: str, **how: Any
) -> Asked:
    """Return what is asked with limits in points, nats and decibels; raise QBenchError for two of them."""
    from qbench.quantization import parse_recipe
    from qbench.results.sensitivity import MEASURES, Which
    from qbench.runner.own.joint import Asked

    points, nats, db = limits
    if nats is not None and db is not None:
        raise QBenchError("--nats and --db: expected one of the two")
    measure, most = ("score", points) if nats is None else ("kl", nats)
    if db is not None:
        measure, most = "sqnr", MEASURES["sqnr"].cost(db)
    rows = Which(sweep, parse_recipe(recipe).text if recipe else "", scope)
    return Asked(most, rows=rows, measure=measure, **how)


def _command(run: NetworkRun, asked: Asked, rules: Sequence[Rule]) -> str:
    """Return the command that scores rules together."""
    from qbench.core.rules import rules_text
    from qbench.results.sensitivity import single_rows

    trial = single_rows(run, asked.rows)[0].trial
    words = [
        "qbench",
        "quantize",
        trial.model,
        "--data",
        trial.data,
        "--spec",
        asked.fallback,
        "--recipe",
        trial.recipe,
    ]
    return shlex.join([*words, "--layers", rules_text(rules), "--no-times", "-o", "out"])
