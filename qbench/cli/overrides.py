"""`qbench overrides`: rules for single layers, from the sensitivity table of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: qbench overrides results/resnet/latest --points 0.5")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--points", default=0.3, show_default=True, help="Top-1 points that a layer alone may lose.")
@click.option("--sweep", default="", help="Sweep of single layers, where a run has several.")
@click.option("--activations", default="a8t", show_default=True, help="Activations of layers whose weights were tried.")
@click.option("--fallback", default="w8c-a8t", show_default=True, help="Spec of layers that bear no width tried.")
def overrides(run: Path, points: float, sweep: str, activations: str, fallback: str) -> None:
    """Choose a spec for every layer.

    Prints the mapping `overrides:` with the narrowest spec at which each layer alone loses no more than so many points,
    to be pasted into a sweep of a suite, or given to `qbench quantize --layers`.
    """
    from qbench.results import read_run
    from qbench.results.sensitivity import choices, overrides_text

    found = choices(read_run(run), points=points, sweep=sweep)
    click.echo(overrides_text(found, activations=activations, fallback=fallback))
