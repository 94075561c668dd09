"""The vocabulary that CUDA kernels are written in, its compiler, and its meaning in plain Python."""
