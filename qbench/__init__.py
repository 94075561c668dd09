"""qbench: how low can a network's numbers go, what is lost, what is gained.

The rooms and what may import what are drawn in `docs/architecture.md`; `tests/test_architecture.py` holds them to it.
"""

__version__ = "0.1.0"
