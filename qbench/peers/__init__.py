"""Other libraries that run the same network, to stand beside qbench in the same run. One file each, all optional.

`PEERS` is the table of names, each a `Peer`. No clock lives here, and no model is built here: a peer is handed the
bytes of an ONNX model and gives back something that can be called.
"""

from __future__ import annotations

from qbench.peers.peer import Peer, Prepared
from qbench.registry import Registry

PEERS = Registry(
    "qbench.peers",
    {
        "onnxruntime-fp32": "qbench.peers.onnxruntime_fp32:OnnxRuntimeFp32",
        "onnxruntime-int8": "qbench.peers.onnxruntime_int8:OnnxRuntimeInt8",
        "openvino-fp32": "qbench.peers.openvino_fp32:OpenVinoFp32",
        "openvino-int8": "qbench.peers.openvino_int8:OpenVinoInt8",
    },
)

__all__ = ["PEERS", "Peer", "Prepared"]
