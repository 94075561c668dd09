"""The vocabulary of qbench: number formats, granularity, specs, quantized tensors, trials and their results.

One equation is stated here and cited everywhere else, for uniform formats:

    real = scale * (code - zero_point)

Every other format states its own beside its class in `qbench.core.formats`. No I/O, no JIT, no loops over tensors here.
"""
