"""Quantizers of other tools, to stand beside qbench's recipes in one table. One file each, all optional.

`QUANTIZERS` is the table. A name in it is a word of recipes, in brackets one of its algorithms: `onnxruntime(entropy)`.
A quantizer gets the float network as an ONNX file and the calibration samples that all recipes get, and leaves a
quantized ONNX file. It works in a process of its own (`process.py` here, `worker.py` there), for it may bring libraries
that get on with no others. What it made is read as any quantized file is: no number of it is chosen anew.
"""

from __future__ import annotations

from qbench.peers.quantizers.process import run
from qbench.peers.quantizers.quantizer import Quantizer, Request
from qbench.registry import Registry

QUANTIZERS = Registry(
    "qbench.quantizers",
    {
        "aimet": "qbench.peers.quantizers.aimet:Aimet",
        "brevitas": "qbench.peers.quantizers.brevitas:Brevitas",
        "nncf": "qbench.peers.quantizers.nncf:Nncf",
        "onnxruntime": "qbench.peers.quantizers.onnxruntime:OnnxRuntimeStatic",
    },
)

__all__ = ["QUANTIZERS", "Quantizer", "Request", "run"]
