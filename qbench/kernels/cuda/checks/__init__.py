"""CUDA kernels against their laws, and what the compiler makes of them."""
