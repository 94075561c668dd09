"""`qbench verify`: every kernel variant on this machine against its reference, and methods against known figures."""

from __future__ import annotations

import click

from qbench.cli.told import json_option, tell_json, wide_option

METHODS = "methods"
"""What stands in place of a family of kernels for the methods' figures."""


@click.command(epilog="Examples: qbench verify gemm | qbench verify methods")
@click.argument("family", required=False)
@json_option
@wide_option
def verify(family: str | None, as_json: bool) -> int:
    """Check every kernel variant against its reference.

    Every variant that can run on this machine is compared bit by bit. FAMILY is one of `qbench list kernels`; without
    it all are checked. `methods` checks the methods instead, against the known optima of the normal law, within 0.5 %.
    The exit code is 1 if a variant differs or a figure is off.
    """
    if family == METHODS:
        return _verify_methods(as_json=as_json)
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
