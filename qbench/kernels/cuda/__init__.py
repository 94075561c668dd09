"""Kernels for NVIDIA GPUs, written in Python, compiled to PTX by numba-cuda and launched by the driver.

| file | knows |
|---|---|
| `emit.py`, `simulate.py` | one vocabulary of words (add, load, mma ...): as LLVM and PTX, and as plain Python |
| `block.py` | how a macro over that vocabulary becomes a building block of kernels in both worlds |
| `shapes.py`, `products.py` | literal tile sizes; what a matrix instruction multiplies, how weights are packed |
| `copies.py`, `multiply.py`, `hopper.py`, `epilogue.py` | the building blocks |
| `tile_kernel.py`, `hopper_kernel.py` ... | the kernels of products and convolutions |
| `skinny*.py`, `panel*.py`, `hopper_panel*.py` | those of few lhs rows, which memory bounds |
| `layers.py` | quantize, pack, row sums, addition, tables, pooling |
| `operands.py`, `operation.py` | packing on the host; a product bound to buffers |
| `machine.py`, `driver.py`, `simulator.py` | where kernels run: a device, or Numba's simulator on any computer |

Importing this package imports neither Numba nor CUDA. Nothing here needs a GPU but running on one.
"""
