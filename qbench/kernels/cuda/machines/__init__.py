"""Where CUDA kernels run: a device, or Numba's simulator."""
