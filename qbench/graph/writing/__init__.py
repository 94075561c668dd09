"""From a network to ONNX: float, QDQ, or one layer alone."""
