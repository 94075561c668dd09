"""Other libraries that run the same network, to stand beside qbench in the same run. One file each, all optional.

`PEERS` is the table of names, each a `Peer`. No clock lives here, and nothing is quantized here: a peer is handed a
`QuantizedNetwork` and gives back something that can be called.
"""

from __future__ import annotations

from qbench.peers.peer import Peer, Prepared
from qbench.registry import Registry

PEERS = Registry(
    "qbench.peers",
    {
        "litert-int8": "qbench.peers.tflite.litert_int8:LiteRtInt8",
        "onnxruntime-fp32": "qbench.peers.onnxruntime.fp32:OnnxRuntimeFp32",
        "onnxruntime-int8": "qbench.peers.onnxruntime.int8:OnnxRuntimeInt8",
        "openvino-bf16": "qbench.peers.openvino.bf16:OpenVinoBf16",
        "openvino-fp32": "qbench.peers.openvino.fp32:OpenVinoFp32",
        "openvino-int8": "qbench.peers.openvino.int8:OpenVinoInt8",
        "openvino-int8-2streams": "qbench.peers.openvino.int8_streams:OpenVinoInt8Streams",
        "torch-fake-quant": "qbench.peers.torch.fake_quant:TorchFakeQuant",
        "torch-fp32": "qbench.peers.torch.fp32:TorchFp32",
        "torch-int8": "qbench.peers.torch.int8:TorchInt8",
    },
)

__all__ = ["PEERS", "Peer", "Prepared"]
