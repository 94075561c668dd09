"""`qbench assembly`: what the compiler makes of the micro-kernels, for any instruction set, on any computer."""

from __future__ import annotations

import click


@click.command(epilog="Example: qbench assembly aarch64_dotprod")
@click.argument("target")
@click.option("--every", is_flag=True, help="Every tile shape, epilogue and width in use, not only the tallest.")
def assembly(target: str, every: bool) -> int:
    """Show what the compiler makes of the micro-kernels.

    TARGET is a kernel variant of `qbench system`, whether this machine can run it or not: the dot instructions, loads
    and spilled vector registers of each tile's depth loop. Or it is `cuda`: registers, spills and the intended
    instruction of each kernel; the exit code is then 1 if one spills.
    """
    from qbench.kernels import CUDA

    if target == CUDA:
        from qbench.cli.cuda import show_ptx

        return show_ptx()
    return show_tiles(target, every=every)


def show_tiles(name: str, *, every: bool) -> int:
    """Print the depth loops of one instruction set's tiles."""
    from qbench.cli.terminal.style import make_console, plain_table
    from qbench.errors import QBenchError, suggest
    from qbench.kernels import CUDA
    from qbench.kernels.tiles.listing import rows
    from qbench.kernels.tiles.targets import TARGETS, target_of

    names = [target.name for target in TARGETS]
    if name not in names:
        raise QBenchError(f"no assembly of '{name}'{suggest(name, [*names, CUDA])}")
    numbers = ("count", "loads", "loads each", "spills")
    table = plain_table("product", "epilogue", "tile", "instruction", *numbers, right=numbers)
    console = make_console()
    with console.status("compiling") as status:
        for row in rows(target_of(name), every=every):
            status.update(f"compiling {row.product} {row.shape}")
            counts = (str(row.dots), str(row.loads), f"{row.loads_a_dot:.2f}", str(row.spills))
            table.add_row(row.product, row.epilogue, row.shape, row.instruction, *counts)
    console.print(table)
    return 0
