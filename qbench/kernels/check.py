"""Every kernel against its reference: random and worst-case values, odd shapes, guards around every buffer.

`qbench verify` prints these rows, the runner asks them before it times anything, and the tests iterate them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from qbench.kernels import variants
from qbench.kernels.conv.check import CASES as CONV_CASES
from qbench.kernels.conv.check import check_case
from qbench.kernels.conv.check_fixed import check_fixed
from qbench.kernels.depthwise.check import check_depthwise
from qbench.kernels.depthwise.operation import variants_of
from qbench.kernels.elementwise import check_channels
from qbench.kernels.elementwise.check import check_add, check_curves, check_table
from qbench.kernels.gemm.check import PRODUCTS, check_gemm
from qbench.kernels.observe.check import check_errors, check_observe
from qbench.kernels.pack.check import check_pack
from qbench.kernels.pack.check_unpack import check_unpack
from qbench.kernels.pool.check import check_global_average, check_max, check_mean
from qbench.kernels.quantize.check import check_copy, check_fake, check_levels, check_quantize
from qbench.kernels.quantize.check_codes import (
    check_dequantize,
    check_dynamic,
    check_planes,
    check_quantize_reals,
    check_requantize,
    check_scaled,
)
from qbench.kernels.tokens.check import check_attention, check_gelu, check_hadamard, check_layer_norm, check_rows
from qbench.kernels.tokens.check_images import check_image_norm
from qbench.kernels.tokens.check_integer import check_attention_u8
from qbench.kernels.tokens.check_recurrent import check_recurrent
from qbench.kernels.winograd.check import CASES as WINOGRAD_CASES
from qbench.kernels.winograd.check import check_winograd
from qbench.kernels.winograd.way import VARIANTS as WINOGRAD_VARIANTS

Status = Literal["ok", "mismatch", "not on this machine"]
Check = Callable[[str], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class VerifyRow:
    """One operation of one variant: how many cases ran, and the first that failed."""

    family: str
    operation: str
    variant: str
    cases: int
    status: Status
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KernelFamily:
    """A family's operations: name -> check(variant), which returns the comparisons made and the first mismatch."""

    name: str
    operations: dict[str, Check]
    variants: tuple[str, ...] = (variants.PORTABLE,)


GEMM = KernelFamily(
    "gemm",
    {**{f"gemm_{p}_s32": partial(check_gemm, p) for p in PRODUCTS}, "gemm_u8_s8_u8+fixed": check_fixed},
    variants.NAMES,
)
CONV = KernelFamily("conv", {case.operation: partial(check_case, case) for case in CONV_CASES}, variants.NAMES)
WINOGRAD = KernelFamily(
    "winograd",
    {f"{case.operation}+winograd": partial(check_winograd, case) for case in WINOGRAD_CASES},
    WINOGRAD_VARIANTS,
)
DEPTHWISE = KernelFamily("depthwise", {"depthwise_u8_s8_u8": check_depthwise}, variants_of())
QUANTIZE = KernelFamily(
    "quantize",
    {
        "quantize_f32_u8": check_quantize,
        "copy_f32_f32": check_copy,
        "dequantize_u8_f32": check_dequantize,
        "requantize_s32_u8": check_requantize,
        "quantize_reals_f32_u8": check_quantize_reals,
        "planes_u8_f32": check_planes,
        "dynamic_f32_u8": partial(check_dynamic, by_rows=False),
        "dynamic_rows_f32_u8": partial(check_dynamic, by_rows=True),
        "scale_sums_f32": check_scaled,
        "fake_quantize_f32": check_fake,
        "fake_quantize_levels_f32": check_levels,
    },
)
ELEMENTWISE = KernelFamily(
    "elementwise",
    {
        "add_u8_u8_u8": check_add,
        "table_u8_u8": check_table,
        "unary_f32_f32": check_curves,
        "channel_tables_u8_u8": partial(check_channels.check_channels, check_channels.channel_tables),
        "select_u8_u8": partial(check_channels.check_channels, check_channels.select),
        "concat_u8_u8": partial(check_channels.check_channels, check_channels.concat),
        "resize_u8_u8": partial(check_channels.check_channels, check_channels.resize),
        "depth_to_space_u8_u8": partial(check_channels.check_channels, check_channels.depth_to_space),
        "interpolate_u8_u8": partial(check_channels.check_channels, check_channels.interpolate),
        "mul_u8_u8_u8": partial(check_channels.check_channels, partial(check_channels.mul, gate=False)),
        "mul_u8_u8_u8+gate": partial(check_channels.check_channels, partial(check_channels.mul, gate=True)),
    },
)
TOKENS = KernelFamily(
    "tokens",
    {
        "layer_norm_f32": check_layer_norm,
        "gelu_f32": partial(check_gelu, "gelu"),
        "gelu_tanh_f32": partial(check_gelu, "gelu_tanh"),
        "hadamard_f32": check_hadamard,
        "rows_f32": check_rows,
        "lstm_f32": partial(check_recurrent, "lstm"),
        "gru_f32": partial(check_recurrent, "gru"),
        "pixel_norm_f32": partial(check_image_norm, 0),
        "group_norm_f32": partial(check_image_norm, 4),
    },
)
ATTENTION = KernelFamily(
    "attention", {"attention_f32": check_attention, "attention_u8": check_attention_u8}, variants.NAMES
)
POOL = KernelFamily(
    "pool", {"global_average_u8_u8": check_global_average, "pool_u8_u8": check_mean, "max_u8_u8": check_max}
)
PACK = KernelFamily(
    "pack",
    {
        **{f"pack_u8_{kind}": partial(check_pack, kind) for kind in ("b1", "t2", "p2", "p4")},
        **{f"unpack_{kind}_u8": partial(check_unpack, kind) for kind in ("b1", "t2")},
    },
)

OBSERVE = KernelFamily("observe", {"observe_f32": check_observe, "grid_errors_f64": check_errors})


def rows(family: KernelFamily) -> Iterator[VerifyRow]:
    """Yield a row for every operation and variant of `family`."""
    for operation, check in family.operations.items():
        for variant in family.variants:
            reason = variants.unavailable(variant)
            if reason is not None:
                yield VerifyRow(family.name, operation, variant, 0, "not on this machine", reason)
                continue
            cases, detail = check(variant)
            yield VerifyRow(family.name, operation, variant, cases, "mismatch" if detail else "ok", detail)
