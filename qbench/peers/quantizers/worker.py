"""The process of one quantizer: `python -m qbench.peers.quantizers.worker FOLDER`.

The folder holds `request.json`, `float.onnx` and the samples of every input; `quantized.onnx` is left there. What the
tool prints goes to the error stream; the two lines of `process.py` go out.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import IO

import numpy as np

from qbench.errors import UnsuitableError
from qbench.peers.quantizers import QUANTIZERS
from qbench.peers.quantizers.quantizer import Quantizer, Request

_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""


def main(folder: Path) -> None:
    """Answer the request of a folder."""
    _end_with_parent()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # tools print what they like
        try:
            answer: dict[str, object] = {"remarks": _work(folder, answers)}
        except UnsuitableError as error:
            answer = {"unsuitable": str(error)}
        except Exception as error:  # the tool's own, of any kind: it becomes the reason of the row
            answer = {"error": f"{type(error).__name__}: {_first_line(error)}"}
        answers.write(json.dumps(answer) + "\n")


def _work(folder: Path, answers: IO[str]) -> tuple[str, ...]:
    told = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    quantizer: Quantizer = QUANTIZERS.part(told.pop("quantizer"))
    names = told.pop("inputs")
    samples = {name: np.load(folder / f"samples{index}.npy", mmap_mode="r") for index, name in enumerate(names)}
    request = Request(model=folder / "float.onnx", out=folder / "quantized.onnx", samples=samples, **told)
    try:
        quantizer.load()
    except ImportError as error:
        raise UnsuitableError(f"cannot be imported: {_first_line(error)}") from error
    answers.write("ready\n")
    answers.flush()
    return quantizer.quantize(request)


def _end_with_parent() -> None:
    """Let the system end this process with the one that started it: a run that was killed waits for no answer."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
