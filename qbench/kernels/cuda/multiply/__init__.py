"""Kernels of products on a GPU, and the building blocks that they share."""
