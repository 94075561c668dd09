"""PyTorch on the CPU, images channels last: a network in eager mode, or compiled by inductor with frozen weights.

Its threads are OpenMP's. No other library here brings an OpenMP runtime, so it shares the process; its threads wait
actively for a moment after a call, as its users have it, and the runner waits for them before another cell's turn
(`qbench.runner.machine.quiet`). Compiling, for each batch size, needs a C++ compiler and takes about a minute for a
large network.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from qbench.core.several import Array, only
from qbench.errors import ModelError
from qbench.graph import QuantizedNetwork
from qbench.peers.peer import check_batched
from qbench.peers.torch.program import Form, program

Floats = npt.NDArray[np.float32]
_SHAPES = 1000  # a program for each batch size of each network: torch gives up after 8 by itself


def missing_torch() -> str | None:
    """Return why PyTorch cannot be used here, or None."""
    try:
        import torch  # noqa: F401  (that it imports is the question)
    except ImportError:
        return "torch is not installed: install qbench with its extra 'torch'"
    return None


def missing_library() -> str | None:
    """Return why PyTorch's compiler cannot be used here, or None."""
    if reason := missing_torch():
        return reason
    if not (shutil.which("g++") or shutil.which("clang++")):
        return "torch compiles with a C++ compiler, and there is none"
    return None


@contextmanager
def _silence() -> Iterator[None]:
    """Keep back what torch warns of its own parts while they are imported and while it compiles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class EagerSession:
    """One network in eager mode, images channels last.

    Args:
        form: of its numbers.
        threads: of OpenMP, for all of torch in this process.
        name: the peer's name, for messages.
    """

    def __init__(self, form: Form, *, threads: int, name: str) -> None:
        check_batched(form.network, name)
        self._name, self._threads = name, threads
        self._program = program(form, name=name)

    def run(self, *given: Array) -> Floats:
        """Return the output of float32 NCHW images, or of int64 token ids."""
        return self.bind(*given)().copy()

    def bind(self, *given: Array) -> Callable[[], Floats]:
        """Return a call that computes what is given into a buffer of its own."""
        import torch

        torch.set_num_threads(self._threads)
        inputs = torch.from_numpy(only(given, self._name).copy())
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        made, guard = self._program, self._guard()
        target: Floats = np.zeros(self._first(inputs).shape, np.float32)
        kept = torch.from_numpy(target)

        def call() -> Floats:
            with guard():
                kept.copy_(made(inputs))
            return target

        return call

    def _guard(self) -> Any:
        """Return the context of a call, in which nothing is kept for gradients."""
        import torch

        return torch.inference_mode

    def _first(self, given: Any) -> Any:
        """Return the output of a first call."""
        with self._guard()():
            return self._program(given)


class TorchSession(EagerSession):
    """One network, compiled: of codes and scales, or in float32."""

    def __init__(self, quantized: QuantizedNetwork, *, threads: int, name: str) -> None:
        with _silence():
            import torch

            super().__init__(Form(quantized), threads=threads, name=name)
            self._program = torch.compile(self._program, dynamic=False, fullgraph=True)

    def _guard(self) -> Any:
        import torch

        return torch.no_grad  # a program is compiled for what it is called in

    def _first(self, given: Any) -> Any:
        """Return the output of a first call, which compiles."""
        with _silence():
            import torch
            from torch._dynamo import config as dynamo
            from torch._inductor import config as inductor

        try:  # freezing is read while it compiles; given as an option it comes too late for weights of 8 bits
            with torch.no_grad(), inductor.patch(freezing=True), dynamo.patch(recompile_limit=_SHAPES), _silence():
                return self._program(given)
        except Exception as error:  # what its compiler raises shares no public parent
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"{self._name}: expected a model that torch compiles, got: {reason}") from error
