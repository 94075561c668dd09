"""`qbench system`: what this machine is, and what on it disturbs a timing."""

from __future__ import annotations

import click


@click.command(epilog="Example: qbench system")
def system() -> None:
    """Describe this machine, and what disturbs timings on it.

    CPU, threads, noise sources and versions, with advice. Changes nothing.
    """
    from qbench.cli.terminal.style import make_console, plain_table
    from qbench.kernels import variants
    from qbench.runner.machine import environment

    console = make_console()
    facts = environment.describe()
    table = plain_table("fact", "value")
    for name, value in facts.items():
        if name not in ("noise", "cpu_features"):
            table.add_row(name, _text(value))
    for name in variants.NAMES:
        table.add_row(f"kernel variant {name}", variants.unavailable(name) or "runs here")
    for name, version in environment.versions().items():
        table.add_row(f"version of {name}", version)
    console.print(table)
    for line in environment.advice(facts):
        console.print(f"- {line}", markup=False, highlight=False)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)
