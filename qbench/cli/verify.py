"""`qbench verify`: every kernel variant on this machine against its reference, and methods against known figures."""

from __future__ import annotations

import click

METHODS = "methods"
"""What stands in place of a family of kernels for the methods' figures."""


@click.command(epilog="Examples: qbench verify gemm | qbench verify methods")
@click.argument("family", required=False)
def verify(family: str | None) -> int:
    """Check every kernel variant against its reference.

    Every variant that can run on this machine is compared bit by bit. FAMILY is one of `qbench list kernels`; without
    it all are checked. `methods` checks the methods instead, against the known optima of the normal law, within 0.5 %.
    The exit code is 1 if a variant differs or a figure is off.
    """
    if family == METHODS:
        return _verify_methods()
    from qbench import kernels
    from qbench.cli.terminal.style import make_console, plain_table

    console = make_console()
    table = plain_table("family", "operation", "variant", "cases", "status", "detail", right=("cases",))
    wrong = 0
    with console.status("verifying") as status:
        for row in kernels.verify(family):
            status.update(f"verifying {row.family} {row.operation} {row.variant}")
            wrong += row.status == "mismatch"
            table.add_row(row.family, row.operation, row.variant, str(row.cases), row.status, row.detail)
    console.print(table)
    return 1 if wrong else 0


def _verify_methods() -> int:
    """Print every known figure beside what came; return 1 if one is off."""
    from qbench.cli.terminal.style import make_console, plain_table
    from qbench.methods.gates import gates

    console = make_console()
    table = plain_table("N(0, 1), 10^6 samples", "expected", "found", "status", right=("expected", "found"))
    found = []
    with console.status("verifying") as status:
        for gate in gates():
            status.update(f"verifying {gate.what}")
            found.append(gate)
            table.add_row(gate.what, f"{gate.expected:.6g}", f"{gate.found:.6g}", "ok" if gate.holds else "off")
    console.print(table)
    wrong = sum(not gate.holds for gate in found)
    console.print(f"{len(found) - wrong} of {len(found)} figures hold", highlight=False)
    return 1 if wrong else 0
