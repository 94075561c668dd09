"""Words -> calls. One file per command; the only room that prints or exits. Heavy imports stay inside commands."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from qbench.cli.commands import root
from qbench.errors import QBenchError

__all__ = ["main", "root"]

INPUT_ERROR = 2
INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line and exit: 0 ok, 1 failed rows or a regression, 2 wrong input, 3 unstable machine."""
    sys.exit(_run())


def _run() -> int:
    if sys.stdout is None:  # closed by whoever started this
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # it is open as long as the process is
    try:
        code = root.main(prog_name="qbench", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return INPUT_ERROR
    except QBenchError as error:
        print(f"qbench: {error}", file=sys.stderr)
        return INPUT_ERROR
    except OSError as error:  # a full disk, a folder without rights: not ours to mend, and no bug
        why = error.strerror or " ".join(str(error).split())
        print(f"qbench: {error.filename or 'standard output'}: {why}", file=sys.stderr)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # Python would flush it, and fail again
        return INPUT_ERROR
    except (click.Abort, KeyboardInterrupt):
        print("qbench: interrupted; finished trials are kept, the same command continues", file=sys.stderr)
        return INTERRUPTED
    return code if isinstance(code, int) else 0
