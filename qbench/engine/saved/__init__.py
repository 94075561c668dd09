"""A quantized network in two files: written, read again, and checked."""
