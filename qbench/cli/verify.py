"""`qbench verify`: every kernel variant on this machine against its reference, and methods against known figures."""

from __future__ import annotations

import click

from qbench.cli.told import json_option, tell_json, wide_option

METHODS = "methods"
"""What stands in place of a family of kernels for the methods' figures."""
LOAD = "load"
"""The same for latencies, held against MLPerf's load generator."""


@click.command(epilog="Examples: qbench verify gemm | qbench verify methods | qbench verify load")
@click.argument("family", required=False)
@json_option
@wide_option
def verify(family: str | None, as_json: bool) -> int:
    """Check every kernel variant against its reference.

    Every variant that can run on this machine is compared bit by bit. FAMILY is one of `qbench list kernels`; without
    it all are checked. `methods` checks the methods instead, against the known optima of the normal law, within 0.5 %.
    `load` holds latencies and a server's rate against MLPerf's load generator (pip install mlcommons-loadgen) on the
    same session. The exit code is 1 if a variant differs or a figure is off.
    """
    if family == METHODS:
        return _verify_methods(as_json=as_json)
    if family == LOAD:
        return _verify_load(as_json=as_json)
    from qbench import kernels
    from qbench.cli.terminal.style import make_console, print_fitting, say

    console, found = make_console(), []
    with make_console(errors=True).status("verifying") as status:
        for row in kernels.verify(family):
            status.update(f"verifying {row.family} {row.operation} {row.variant}")
            found.append(row)
    wrong = [row for row in found if row.status == "mismatch"]
    code = 1 if wrong else 0
    if as_json:
        fields = ("family", "operation", "variant", "cases", "status", "detail")
        rows = [{name: getattr(row, name) for name in fields} for row in found]
        return tell_json("verify", exit_code=code, checks=rows)
    say(console, f"{len(found)} checks, {len(wrong)} wrong")
    print_fitting(
        console,
        [(row.family, row.operation, row.variant, str(row.cases), row.status, row.detail) for row in found],
        headings=("family", "operation", "variant", "cases", "status", "detail"),
        drop=("cases", "family"),
        wrap=("detail",),
        right=("cases",),
    )
    return code


def _verify_methods(*, as_json: bool) -> int:
    """Print every known figure beside what came; return 1 if one is off."""
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.methods.gates import gates

    console, found = make_console(), []
    with make_console(errors=True).status("verifying") as status:
        for gate in gates():
            status.update(f"verifying {gate.what}")
            found.append(gate)
    wrong = sum(not gate.holds for gate in found)
    code = 1 if wrong else 0
    words = [(gate, "ok" if gate.holds else "off") for gate in found]
    if as_json:
        rows = [{"what": one.what, "expected": one.expected, "found": one.found, "status": word} for one, word in words]
        return tell_json("verify", exit_code=code, figures=rows)
    say(console, f"{len(found) - wrong} of {len(found)} figures hold")
    print_fitting(
        console,
        [(gate.what, f"{gate.expected:.6g}", f"{gate.found:.6g}", word) for gate, word in words],
        headings=("N(0, 1), 10^6 samples", "expected", "found", "status"),
        right=("expected", "found"),
    )
    return code


def _verify_load(*, as_json: bool) -> int:
    """Print every figure of qbench beside the load generator's, in milliseconds and queries; return 1 if one is off."""
    from qbench.cli.terminal.style import make_console, print_fitting, say
    from qbench.results.tables import number_text
    from qbench.runner.load.loadgen import check_load
    from qbench.runner.machine import lock

    def text(ends: tuple[float, float, float], scale: float) -> str:
        value, low, high = (number_text(scale * number) for number in ends)
        return f"{value} [{low}, {high}]"

    with make_console(errors=True).status("verifying") as status, lock.timing():
        found = check_load(lambda said: status.update(said))
    words = [(one, "ok" if one.agrees else "off") for one in found]
    wrong = sum(not one.agrees for one in found)
    if as_json:
        rows = [{"what": one.name, "own": one.own, "loadgen": one.other, "status": word} for one, word in words]
        return tell_json("verify", exit_code=1 if wrong else 0, figures=rows)
    console, lines = make_console(), []
    for one, word in words:
        name, scale = (one.name.replace(", s", ", ms"), 1e3) if one.name.endswith(", s") else (one.name, 1.0)
        lines.append((name, text(one.own, scale), text(one.other, scale), word))
    say(console, f"{len(found) - wrong} of {len(found)} figures agree")
    print_fitting(console, lines, headings=("figure", "qbench", "loadgen", "status"), right=("qbench", "loadgen"))
    return 1 if wrong else 0
