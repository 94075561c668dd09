"""CUDA kernels as rows of `qbench verify cuda`."""

from __future__ import annotations

from collections.abc import Iterator

from qbench.kernels.check import Status, VerifyRow
from qbench.kernels.cuda.language import compile as compiler

NAME = "cuda"


def unavailable() -> str | None:
    """Return why no CUDA kernel can run here, or None."""
    reason = compiler.unavailable()
    if reason is None:
        from qbench.kernels.cuda.machines import driver

        reason = driver.unavailable()
    return reason


def rows() -> Iterator[VerifyRow]:
    """Yield a row for every kernel, or one with the reason why none can run here."""
    reason = unavailable()
    if reason is not None:
        yield VerifyRow(NAME, "all", NAME, 0, "not on this machine", reason)
        return
    from qbench.kernels.cuda.checks import verify
    from qbench.kernels.cuda.machines import driver

    device = driver.Device()
    for number in range(verify.count()):
        found = verify.verify(device, number)
        status: Status = "mismatch" if found.detail else "ok"
        yield VerifyRow(NAME, found.operation, found.variant, found.comparisons, status, found.detail)
