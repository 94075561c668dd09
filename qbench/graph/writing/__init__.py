"""From a network to ONNX: float, QDQ, or a single layer."""
