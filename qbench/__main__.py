"""`python -m qbench`: the command line."""

from __future__ import annotations

from qbench.cli import main

if __name__ == "__main__":
    main()
