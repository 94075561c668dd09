"""Runs of single operations: read, tabulated, compared."""
