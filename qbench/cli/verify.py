"""`qbench verify`: every kernel variant on this machine against its reference."""

from __future__ import annotations

import click


@click.command(epilog="Example: qbench verify gemm")
@click.argument("family", required=False)
def verify(family: str | None) -> int:
    """Check every kernel variant against its reference.

    Every variant that can run on this machine is compared bit by bit. FAMILY is one of `qbench list kernels`; without
    it all are checked. The exit code is 1 if a variant differs.
    """
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
