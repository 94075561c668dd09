"""From a quantized network's nodes to what kernels take: the one place for sessions, devices and single operations.

`numbers` are a layer's codes and scales as kernels see them, `products` says which product computes them, `params`
folds scales and zero points into numbers per channel, `layers` puts these together; `nodes` does the same for what has
no weights.
"""
