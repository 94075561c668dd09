"""One party of a network in a process of its own: qbench's saved network, or another library. Run as a file.

It imports what its party needs and no more, so that its memory and its start are what a user of that party has.
"""

from __future__ import annotations

import pickle
import resource
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from qbench.runner.sides.worker import serve

ENDS_NAME, ONNX_NAME = "ends.pickle", "network.onnx"
"""The graph without its nodes, and the file, of a party that reads ONNX."""
_STATUS = Path("/proc/self/status")


class PartyWorker:
    """Holds one party."""

    def __init__(self) -> None:
        self._calls: dict[int, Callable[[], Any]] = {}
        self._stack = ExitStack()
        self._quiet: Callable[[], None] | None = None

    def load(self, folder: str, party: str, threads: int, variant: str) -> None:
        """Make a party ready to run.

        Args:
            folder: of the network, and of the samples as `input0.npy`, `input1.npy` ...
            party: "" for qbench, or the name of a peer.
            threads: of the party.
            variant: of qbench's kernels.
        """
        place = Path(folder)
        self._place, self._threads = place, threads
        if party:
            from qbench.peers import PEERS

            self._bind = PEERS.part(party).prepare(_handed(place), threads=threads).bind
        else:
            from qbench.engine.saved.network import load_network

            run = load_network(place).session(threads=threads, variant=variant).run
            self._bind = lambda *inputs: partial(run, *inputs)

    def first(self, batch: int) -> None:
        """Answer the first samples, once, and write the answer down beside them."""
        import numpy as np

        answer = np.asarray(self._call(batch)())
        np.save(self._place / "answer.npy", answer.reshape(len(answer), -1))

    def elapsed(self, batch: int, loops: int) -> float:
        """Return the seconds of so many calls, on pinned cores and when no other thread of this process is busy.

        Raises:
            QBenchError: something was compiled meanwhile.
        """
        from qbench.errors import QBenchError
        from qbench.kernels.compilations import compilations
        from qbench.runner.machine.quiet import quiet_cores, settle
        from qbench.runner.timing.clock import Clock

        if batch not in self._calls:
            self._calls[batch] = self._call(batch)
            self._calls[batch]()
        if self._quiet is None:
            self._quiet = self._stack.enter_context(quiet_cores(self._threads))
        self._quiet()
        before = compilations()
        found = Clock().elapsed_s(self._calls[batch], loops)
        if compilations() != before:
            raise QBenchError("kernels compiled while times were taken")
        settle()  # the next party must not share its cores with threads that spin
        return found

    def peak(self, batch: int) -> int:
        """Answer samples twice and return the most bytes that this process has had in memory so far."""
        call = self._call(batch)
        call()
        call()
        return peak_bytes()

    def _call(self, batch: int) -> Any:
        import numpy as np

        files = sorted(self._place.glob("input*.npy"))
        arrays = [np.array(np.load(file, mmap_mode="r")[:batch]) for file in files]
        return self._bind(*arrays)


def _handed(place: Path) -> Any:
    """Return what a peer is given: an ONNX file and its ends, or the whole network that was saved."""
    if not (place / ONNX_NAME).exists():
        from qbench.engine.saved.network import load_network

        return load_network(place).quantized
    from qbench.peers.onnx_form import WrittenOnnx

    ends = pickle.loads((place / ENDS_NAME).read_bytes())
    return WrittenOnnx(ends, written=(place / ONNX_NAME).read_bytes())


def peak_bytes() -> int:
    """Return the most bytes that this process has had in memory.

    Linux counts in `ru_maxrss` what the process held that it was forked from; `VmHWM` begins anew with the program.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    serve(PartyWorker())
