"""`qbench system`: what this machine is, and what on it disturbs a timing."""

from __future__ import annotations

import click

from qbench.cli.told import json_option, tell_json, wide_option


@click.command(epilog="Example: qbench system")
@json_option
@wide_option
def system(as_json: bool) -> int:
    """Describe this machine, and what disturbs timings on it.

    CPU, threads, noise sources and versions, with advice. Changes nothing.
    """
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.kernels import variants
    from qbench.runner.machine import environment

    console, facts, versions = make_console(), environment.describe(), environment.versions()
    advice, runs = list(environment.advice(facts)), {name: variants.unavailable(name) for name in variants.NAMES}
    if as_json:
        known = [{"name": name, "runs": not reason, "reason": reason or ""} for name, reason in runs.items()]
        return tell_json("system", machine=facts, variants=known, versions=versions, advice=advice)
    for line in advice:
        say(console, f"- {line}")
    rows = [(name, _text(value)) for name, value in facts.items() if name not in ("noise", "cpu_features")]
    rows += [(f"kernel variant {name}", reason or "runs here") for name, reason in runs.items()]
    rows += [(f"version of {name}", version) for name, version in versions.items()]
    print_fitting(console, rows, headings=("fact", "value"), wrap=("value",))
    return 0


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)
