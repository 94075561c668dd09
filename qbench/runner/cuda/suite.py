"""What a suite of `kind: cuda` says: as a suite of kernels, with peers on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from qbench.errors import suggest
from qbench.peers.cuda import CUDA_OPERATORS
from qbench.suite.axes import Spec, Word
from qbench.suite.kernels.schema import KernelSuite, KernelSweep, Positive
from qbench.suite.load import checked, load_document
from qbench.suite.schema import Strict


def _peer(name: Any) -> Any:
    if isinstance(name, str) and name not in CUDA_OPERATORS:
        raise ValueError(f"unknown CUDA peer '{name}'{suggest(name, CUDA_OPERATORS)}")
    return name


PeerName = Annotated[Word, BeforeValidator(_peer)]


class CudaSweep(KernelSweep):
    """A product of shapes, specs, outputs and batches; threads mean nothing here."""

    peers: tuple[PeerName, ...] | None = None
    """Other libraries on the device; the suite's own when left out."""


class CudaNetwork(Strict):
    """A network of the zoo, on random images."""

    model: Word
    """Name of a packaged network, e.g. `resnet50-seeded`."""
    spec: Spec = "w8c-a8t"
    """What its layers become."""
    batch: Positive = 64
    """Images at a time."""


class CudaSuite(KernelSuite):
    """A whole suite for one GPU."""

    kind: Literal["cuda"]  # type: ignore[assignment]
    """`cuda`: single operations on the first GPU."""
    threads: tuple[Positive, ...] = (1,)
    """Always 1: one device."""
    verify: bool = True
    """Whether every kernel is checked on odd sizes before anything is timed."""
    peers: tuple[PeerName, ...] = ()
    """Other libraries on the device that take turns with qbench."""
    networks: tuple[CudaNetwork, ...] = ()
    """Whole networks on the device, beside PyTorch in float16."""
    sweeps: Annotated[tuple[CudaSweep, ...], Field(min_length=1)]
    """What is timed."""


def load_cuda_suite(path: Path, *, overrides: Sequence[str] = ()) -> CudaSuite:
    """Read, merge and check the suite at `path`; raise SuiteError as `qbench.suite.load_suite`."""
    return checked(load_document(path, overrides=overrides), CudaSuite)
