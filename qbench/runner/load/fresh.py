"""What only a fresh process tells of a party: the time from its start to its first answer, and its peak memory."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qbench.core.several import Inputs, arrays_of
from qbench.core.tensor import Floats
from qbench.engine.saved.network import save_network
from qbench.graph import QuantizedNetwork
from qbench.peers import PEERS
from qbench.peers.onnx_form import onnx_bytes
from qbench.runner.load.party import ENDS_NAME, ONNX_NAME
from qbench.runner.sides.process import Process
from qbench.runner.sides.side import these_sources
from qbench.runner.timing.clock import Clock
from qbench.runner.timing.network import batch_of

SCRIPT = Path(__file__).with_name("party.py")


@dataclass(frozen=True, slots=True)
class Packed:
    """A party on disk, for a process that has seen nothing of it.

    Args:
        folder: of its network and samples.
        party: "" for qbench, or the name of a peer.
        threads: that it runs on.
        variant: of qbench's kernels.
    """

    folder: Path
    party: str
    threads: int
    variant: str = "auto"


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """What a fresh process showed.

    Args:
        startup_s: from its start to its first answer, to one sample.
        answer: that answer, (1, m).
        peaks: batch size -> most bytes in memory until calls of that size were answered, smaller ones before.
    """

    startup_s: float
    answer: Floats
    peaks: dict[int, int]


@contextmanager
def packed(
    network: QuantizedNetwork, inputs: Inputs, *, party: str, threads: int, variant: str, most: int
) -> Iterator[Packed]:
    """Yield a party in a folder of its own, as long as the `with` lasts.

    Args:
        network: what the party runs.
        inputs: samples, taken again from the front where there are fewer than `most`.
        party: "" for qbench, or the name of a peer.
        threads: that it runs on.
        variant: of qbench's kernels.
        most: samples of the largest call.

    Raises:
        QBenchError: the network has no form that the party reads.
    """
    with tempfile.TemporaryDirectory(prefix="qbench-party-") as name:
        folder = Path(name)
        for index, array in enumerate(arrays_of(batch_of(inputs, most))):
            np.save(folder / f"input{index}.npy", array)
        if party and getattr(PEERS.part(party), "reads_onnx", False):
            (folder / ONNX_NAME).write_bytes(onnx_bytes(network))
            (folder / ENDS_NAME).write_bytes(pickle.dumps(dataclasses.replace(network.network, nodes=())))
        else:
            save_network(folder, network, facts={})
        yield Packed(folder, party, threads, variant)


@contextmanager
def started(one: Packed, **environment: str) -> Iterator[Process]:
    """Yield a fresh process that has loaded a party; variables of its environment may be others than here."""
    with Process(these_sources(), SCRIPT, **environment) as process:
        process.ask("load", folder=str(one.folder), party=one.party, threads=one.threads, variant=one.variant)
        yield process


def fresh(one: Packed, batches: Sequence[int], *, clock: Clock) -> Fresh:
    """Return what a fresh process of a party shows; raise SideError where it ends, RowError where it cannot."""
    start_s = clock.now_s()
    with started(one) as process:
        process.ask("first", batch=1)
        startup_s = clock.now_s() - start_s
        answer = np.load(one.folder / "answer.npy")
        return Fresh(startup_s, answer, {batch: process.ask("peak", batch=batch) for batch in sorted(batches)})


def first_startup_s(one: Packed, *, clock: Clock) -> float:
    """Return the seconds to the first answer where no kernel was ever compiled."""
    with tempfile.TemporaryDirectory(prefix="qbench-cold-") as cache:
        start_s = clock.now_s()
        with started(one, QBENCH_CACHE_DIR=cache) as process:
            process.ask("first", batch=1)
            return clock.now_s() - start_s
