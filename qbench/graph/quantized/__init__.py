"""ONNX files that are quantized already: the float network, its codes and its parameters."""
