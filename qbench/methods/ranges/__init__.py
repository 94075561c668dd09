"""Ranges by a rule or an iteration of their own, on the uniform grid of `qbench.methods.uniform`."""
