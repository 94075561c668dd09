"""`qbench overrides`: specs for single layers, from the sensitivity table of a run, scored together."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qbench.core.rules import Rule
    from qbench.results.reader import NetworkRun
    from qbench.runner.own.joint import Asked


@click.command(epilog="Example: qbench overrides results/resnet/latest --points 0.5")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--points", default=0.3, show_default=True, help="Percentage points of top-1 that all layers together may lose."
)
@click.option("--sweep", default="", help="Sweep of single layers to read, if the run has several.")
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
def overrides(
    run: Path, points: float, sweep: str, activations: str, fallback: str, suite: Path | None, *, candidates: bool
) -> None:
    """Find a spec for every layer, and score them together.

    RUN is a run with a sweep of single layers. What they lose alone says which to try; the network is then run with all
    of them at once, and the boldest plan found that loses at most --points is printed as the mapping `overrides:`.
    Paste it into a sweep of a suite, or give it to `qbench quantize --layers`.
    """
    from qbench.results import read_run
    from qbench.results.sensitivity import overrides_text
    from qbench.runner.own.joint import Asked, joint_plan
    from qbench.runner.own.joint import candidates as candidates_of

    found, asked = read_run(run, kind="network"), Asked(points, activations, fallback, sweep, suite)
    if candidates:
        choices, rules = candidates_of(found, asked)[-1]
        click.echo("# a candidate, not a plan: its layers were scored alone; this scores them together:")
        click.echo(f"# {_command(found, asked, rules)}")
        click.echo(overrides_text(choices, rules))
        return
    plan = joint_plan(found, asked, tell=lambda text: click.echo(text, err=True))
    click.echo(
        f"# scored together on {found.header.data.images} samples: loses {plan.lost:.2f} points "
        f"[{plan.low:.2f}, {plan.high:.2f}] of at most {points:g}"
    )
    if plan.high > points:
        click.echo(f"# the interval reaches beyond {points:g} points: more samples would tell")
    click.echo(overrides_text(plan.choices, plan.rules))


def _command(run: NetworkRun, asked: Asked, rules: Sequence[Rule]) -> str:
    """Return the command that scores rules together."""
    from qbench.core.rules import rules_text
    from qbench.results.sensitivity import single_rows

    trial = single_rows(run, sweep=asked.sweep)[0].trial
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
