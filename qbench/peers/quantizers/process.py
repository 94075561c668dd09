"""A quantizer's process as seen from here: a folder with what is asked, and two lines back, `ready` and how it ended.

The seconds until it is ready pass in Python and in imports, so they are told apart from those of the work itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from qbench.core.granularity import PerTensor
from qbench.core.spec import LayerSpec
from qbench.errors import ModelError, UnsuitableError
from qbench.graph import QuantizedNetwork
from qbench.peers.quantizers.quantizer import Array

Timed = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What a quantizer of the table is asked for, in qbench's words.

    Args:
        quantizer: its name.
        algorithm: one of its own.
        spec: of every layer.
        seed: of every random choice.
        threads: to work on.
    """

    quantizer: str
    algorithm: str
    spec: LayerSpec
    seed: int
    threads: int


def run(work: Work, model: bytes, samples: Mapping[str, Array], *, timed: Timed) -> tuple[QuantizedNetwork, list[str]]:
    """Return what a quantizer makes of a network, as its file says, and its remarks.

    Args:
        work: what is asked.
        model: the float network as ONNX.
        samples: input -> calibration samples (n, ...).
        timed: counts the time of a phase: `load` until the tool is imported.

    Raises:
        UnsuitableError: the tool cannot be imported here, or cannot do this network.
        ModelError: one line of the tool's, or its file cannot be read.
    """
    from qbench.graph import read_quantized  # with onnx, which recipes are read and checked without

    with tempfile.TemporaryDirectory(prefix="qbench-quantizer-") as place, timed("load"):
        folder = Path(place)
        (folder / "float.onnx").write_bytes(model)
        for index, array in enumerate(samples.values()):
            np.save(folder / f"samples{index}.npy", array)
        (folder / "request.json").write_text(json.dumps(_told(work, [*samples])), encoding="utf-8")
        with (folder / "said.txt").open("w+", encoding="utf-8", errors="replace") as said:
            remarks = _answer(work, folder, said, timed)
        try:
            return read_quantized(folder / "quantized.onnx", residuals=False), remarks
        except ModelError as error:
            raise ModelError(f"{work.quantizer}: {str(error).removeprefix(f'{folder}{os.sep}')}") from error


def _told(work: Work, inputs: list[str]) -> dict[str, object]:
    weights, activations = work.spec.weights, work.spec.activations
    return {
        "quantizer": work.quantizer,
        "algorithm": work.algorithm,
        "inputs": inputs,
        "weight_bits": weights.format.bits,
        "activation_bits": activations.format.bits,
        "per_channel": not isinstance(weights.granularity, PerTensor),
        "seed": work.seed,
        "threads": work.threads,
    }


def _answer(work: Work, folder: Path, said: IO[str], timed: Timed) -> list[str]:
    """Start the process, wait for both lines, and return the remarks; whatever happens, it has ended then."""
    threads = str(work.threads)
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads,
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "qbench.peers.quantizers.worker", str(folder)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        with timed("quantize"):
            last = process.stdout.readline() if first == "ready\n" else first
        process.wait()
    finally:
        process.kill()
        process.communicate()
    answer = json.loads(last) if last.strip() else {"error": _ended(process.returncode, said)}
    for key, kind in (("unsuitable", UnsuitableError), ("error", ModelError)):
        if key in answer:
            raise kind(f"{work.quantizer}: {answer[key]}")
    return [str(one) for one in answer["remarks"]]


def _ended(code: int, said: IO[str]) -> str:
    """Return how a process ended that said nothing."""
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"its process ended by {how}{': ' + lines[-1] if lines else ''}"
