"""From an ONNX file to a network: checked, folded, recognized, cut."""
