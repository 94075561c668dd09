"""What the tests of the experiment on a GPU need, and why they are skipped without it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

if find_spec("numba_cuda") is None:
    collect_ignore = ["in_simulator.py"]


@pytest.fixture(scope="session")
def compiler() -> None:
    """Skip without numba-cuda."""
    if find_spec("numba_cuda") is None:
        pytest.skip("numba-cuda is not installed (the extra 'cuda')")
