"""`qbench assembly`: what the compiler makes of the micro-kernels, for any instruction set, on any computer."""

from __future__ import annotations

import click

from qbench.cli.told import json_option, tell_json, wide_option


@click.command(epilog="Example: qbench assembly aarch64_dotprod")
@click.argument("target")
@click.option("--every", is_flag=True, help="Every tile shape, epilogue and width in use, not only the tallest.")
@json_option
@wide_option
def assembly(target: str, every: bool, as_json: bool) -> int:
    """Show what the compiler makes of the micro-kernels.

    TARGET is a kernel variant of `qbench system`, whether this machine can run it or not: the dot instructions, loads
    and spilled vector registers of each tile's depth loop. Or it is `cuda`: registers, spills and the intended
    instruction of each kernel; the exit code is then 1 if one spills.
    """
    from qbench.kernels import CUDA

    if target == CUDA:
        from qbench.cli.cuda import show_ptx

        return show_ptx(as_json=as_json)
    return show_tiles(target, every=every, as_json=as_json)


def show_tiles(name: str, *, every: bool, as_json: bool = False) -> int:
    """Print the depth loops of one instruction set's tiles."""
    from qbench.cli.terminal.style import make_console, print_fitting
    from qbench.errors import QBenchError, suggest
    from qbench.kernels import CUDA
    from qbench.kernels.tiles.listing import rows
    from qbench.kernels.tiles.targets import TARGETS, target_of

    names = [target.name for target in TARGETS]
    if name not in names:
        raise QBenchError(f"no assembly of '{name}'{suggest(name, [*names, CUDA])}")
    numbers = ("count", "loads", "loads each", "spills")
    console, found = make_console(), []
    with make_console(errors=True).status("compiling") as status:
        for row in rows(target_of(name), every=every):
            status.update(f"compiling {row.product} {row.shape}")
            found.append(row)
    if as_json:
        return tell_json("assembly", tiles=found)
    cells = [
        (
            row.product, row.epilogue, row.shape, row.instruction, str(row.dots), str(row.loads),
            f"{row.loads_a_dot:.2f}", str(row.spills),
        )
        for row in found
    ]  # fmt: skip
    headings = ("product", "epilogue", "tile", "instruction", *numbers)
    print_fitting(console, cells, headings=headings, drop=("loads", "count", "epilogue"), right=numbers)
    return 0
