"""`qbench overrides`: specs for single layers, from the sensitivity table of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: qbench overrides results/resnet/latest --points 0.5")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--points", default=0.3, show_default=True, help="Percentage points of top-1 that one layer alone may lose."
)
@click.option("--sweep", default="", help="Sweep of single layers to read, if the run has several.")
@click.option(
    "--activations",
    default="a8t",
    show_default=True,
    help="Activation half of the spec for layers whose weights were tried.",
)
@click.option(
    "--fallback",
    default="w8c-a8t",
    show_default=True,
    help="Spec for layers where every tried width loses too much accuracy.",
)
def overrides(run: Path, points: float, sweep: str, activations: str, fallback: str) -> None:
    """Suggest a spec for every layer, from its sensitivity.

    RUN is a run with a sweep of single layers. Prints the mapping `overrides:` with the narrowest spec at which each
    layer alone loses at most --points. Paste it into a sweep of a suite, or give it to `qbench quantize --layers`.
    Losses of single layers add up: score all of them together before you rely on it.
    """
    from qbench.results import read_run
    from qbench.results.sensitivity import choices, overrides_text

    found = choices(read_run(run), points=points, sweep=sweep)
    click.echo(overrides_text(found, activations=activations, fallback=fallback))
