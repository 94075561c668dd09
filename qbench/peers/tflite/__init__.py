"""LiteRT, and the TensorFlow Lite files that it reads."""
