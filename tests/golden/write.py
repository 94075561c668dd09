"""Write the golden rows anew: python -m tests.golden.write RUN_OF_TINY RUN_OF_KERNELS_TINY (whose peers are [])."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qbench.results import read_run
from tests.golden.facts import ROWS, kernel_facts, network_facts


def write(networks: Path, kernels: Path) -> None:
    """Write the facts of two runs, one row per line."""
    rows = {
        "networks": [network_facts(row) for row in read_run(networks).results],
        "kernels": [kernel_facts(row) for row in read_run(kernels).results],
    }
    parts = [f'"{kind}": [\n' + ",\n".join(json.dumps(row) for row in of) + "\n]" for kind, of in rows.items()]
    ROWS.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
