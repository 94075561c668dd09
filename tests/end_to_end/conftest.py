"""Runs of these tests have the machine's lock to themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_lock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no run outside these tests make them wait, nor them it: their times are believed by nobody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QBENCH_LOCK", str(tmp_path_factory.mktemp("lock") / "lock"))
        yield
