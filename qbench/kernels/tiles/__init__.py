"""The generator of micro-kernels and the loops over them; `conv` and `gemm` are built on it."""
