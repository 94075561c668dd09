"""Collects what a CUDA image without a network lacks of qbench's packages: `python suites/collect_wheels.py`.

There: `python3 -m pip install --no-index --no-deps --target /tmp/site wheels/*.whl`, then, from the checkout,
`PYTHONPATH=/tmp/site:. python3 -c "from qbench.cli import main; main()" run suites/cuda.yaml`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

NEEDED = (
    "pydantic>=2.14,<3", "pooch>=1.9,<2", "platformdirs", "py-cpuinfo>=9.0,<10",
    "numpy>=2.4,<2.5",  # numba-cuda 0.30 asks for names that NumPy 2.5 has dropped
)  # fmt: skip
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
MOST_BYTES = 32 * 2**20


def main() -> int:
    """Download the wheels; return 1 when one is missing or they are too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--out", type=Path, default=Path("wheels"), help="folder of the wheels")
    parser.add_argument("--python", default="3.12", help="the image's Python")
    given = parser.parse_args()
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", given.python, *platforms, "-d", str(given.out), *NEEDED]
    if subprocess.run(command, check=False).returncode:
        return 1
    files = sorted(given.out.glob("*.whl"))
    size = sum(path.stat().st_size for path in files)
    sys.stdout.write(f"{len(files)} wheels, {size / 2**20:.1f} MiB, in {given.out}\n")
    return 0 if size <= MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
