"""How a format's parameters are chosen and values are rounded. One table; a method is one file and one line here.

Ranges, grids, rounding and statistics of activations live here; loops that a network's run depends on do not (kernels).
The law of rounding is `qbench.methods.law`. Every entry of the table is an object with the shape of `Method`.
"""

from qbench.methods.activation_stats import ActivationObserver, ActivationStats, stats_of
from qbench.methods.law import dequantize, fake_quantize, quantize
from qbench.methods.method import Method, method_spec, weight_granularity
from qbench.registry import Registry

METHODS = Registry(
    "qbench.methods",
    {
        "linear_floor": "qbench.methods.linear_floor:LINEAR_FLOOR",
        "log_floor": "qbench.methods.nonlinear:LOG_FLOOR",
        "log_floor_signed": "qbench.methods.log_floor_signed:LOG_FLOOR_SIGNED",
        "minmax": "qbench.methods.minmax:MINMAX",
        "absmax": "qbench.methods.absmax:ABSMAX",
        "percentile": "qbench.methods.percentile:PERCENTILE",
        "percentile_99_9": "qbench.methods.percentile:PERCENTILE_99_9",
        "percentile_99_999": "qbench.methods.percentile:PERCENTILE_99_999",
        "mse": "qbench.methods.mse:MSE",
        "mean_std": "qbench.methods.ranges.mean_std:MEAN_STD",
        "octav": "qbench.methods.ranges.octav:OCTAV",
        "hqq": "qbench.methods.ranges.hqq:HQQ",
        "kl": "qbench.methods.kl:KL",
        "log": "qbench.methods.log:LOG",
        "pot": "qbench.methods.pot:POT",
        "kmeans": "qbench.methods.kmeans:KMEANS",
        "nf4": "qbench.methods.nf4:NF4",
        "apot": "qbench.methods.apot:APOT",
        "fp4_e2m1": "qbench.methods.minifloat:FP4_E2M1",
        "fp8_e4m3": "qbench.methods.minifloat:FP8_E4M3",
        "fp8_e5m2": "qbench.methods.minifloat:FP8_E5M2",
        "mxfp4": "qbench.methods.mx:MXFP4",
        "mxfp8": "qbench.methods.mx:MXFP8",
        "mxint8": "qbench.methods.mx:MXINT8",
        "nvfp4": "qbench.methods.nvfp4:NVFP4",
        "ternary": "qbench.methods.ternary:TERNARY",
        "binary": "qbench.methods.binary:BINARY",
    },
)

__all__ = [
    "METHODS",
    "ActivationObserver",
    "ActivationStats",
    "Method",
    "dequantize",
    "fake_quantize",
    "method_spec",
    "quantize",
    "stats_of",
    "weight_granularity",
]
