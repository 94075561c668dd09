"""The functions of one number, by name."""

from __future__ import annotations

FUNCTIONS = (
    "abs", "celu", "elu", "erf", "exp", "gelu", "gelu_tanh", "hard_sigmoid", "hard_swish", "leaky_relu", "log", "mish",
    "power", "reciprocal", "selu", "sigmoid", "silu", "softplus", "softsign", "sqrt", "tanh", "thresholded_relu",
)  # fmt: skip
"""Names of the functions that `unary` computes: a function's number is its place here."""
