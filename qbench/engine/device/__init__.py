"""Whole networks on a device, planned as on the CPU, with the same numbers."""
