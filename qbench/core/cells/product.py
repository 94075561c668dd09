"""One piece of arithmetic to be timed by itself: its shape, its number formats, its output, and the codes it is fed.

With lhs codes a of zero point za and rhs codes w, which have none, acc = sum((a - za) * w) over the depth.
A cell's output is one of

    s32   acc
    u8    clip(rint((acc + bias) * lhs_scale * rhs_scale / out_scale) + out_zero_point, 0, 255), rint half to even
    f32   sum over groups of acc_group * lhs_scale * rhs_scale

Padding of a convolution holds za, the code of zero; -1 where lhs codes are binary, which have no zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from qbench.core.granularity import PerGroup
from qbench.core.spec import LayerSpec, parse_spec
from qbench.errors import QBenchError

OutputKind = Literal["s32", "u8", "f32"]


@dataclass(frozen=True, slots=True)
class GemmProblem:
    """lhs (m, k) by rhs (n, k): out (m, n)."""

    m: int
    k: int
    n: int

    def __post_init__(self) -> None:
        if min(self.m, self.k, self.n) < 1:
            raise QBenchError(f"gemm: expected sizes of at least 1, got m={self.m}, k={self.k}, n={self.n}")

    @property
    def depth(self) -> int:
        """Products that are summed up for one number of the output."""
        return self.k

    @property
    def operations(self) -> int:
        """Two for each multiply-add."""
        return 2 * self.m * self.k * self.n

    @property
    def label(self) -> str:
        """Rows x depth x columns, e.g. `gemm 512x768x3072`."""
        return f"gemm {self.m}x{self.k}x{self.n}"


@dataclass(frozen=True, slots=True)
class ConvProblem:
    """NHWC lhs by OHWI rhs: out NHWC. `pads` is (top, left, bottom, right); depthwise has groups == channels."""

    images: int
    height: int
    width: int
    channels: int
    out_channels: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        sizes = (self.images, self.height, self.width, self.channels, self.out_channels, self.groups)
        if min(*sizes, *self.kernel, *self.strides, *self.dilations) < 1 or min(self.pads) < 0:
            raise QBenchError(f"conv: expected sizes of at least 1 and no negative padding, got {self}")
        if self.channels % self.groups or self.out_channels % self.groups:
            raise QBenchError(
                f"conv: groups must divide both channels, got {self.groups} groups of {self.channels} and "
                f"{self.out_channels}"
            )
        if min(self.out_size) < 1:
            raise QBenchError(f"conv: the kernel does not fit into the padded image, got {self}")

    @property
    def out_size(self) -> tuple[int, int]:
        """Height and width of the output."""
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True)]
        return (
            (self.height + self.pads[0] + self.pads[2] - spans[0]) // self.strides[0] + 1,
            (self.width + self.pads[1] + self.pads[3] - spans[1]) // self.strides[1] + 1,
        )

    @property
    def is_depthwise(self) -> bool:
        """Whether each output channel sees one input channel."""
        return self.groups > 1 and self.groups == self.channels

    @property
    def depth(self) -> int:
        """Products that are summed up for one number of the output."""
        return self.kernel[0] * self.kernel[1] * self.channels // self.groups

    @property
    def operations(self) -> int:
        """Two for each multiply-add, padding counted as if it were image."""
        height, width = self.out_size
        return 2 * self.images * height * width * self.out_channels * self.depth

    @property
    def label(self) -> str:
        """Images, size, channels, kernel, stride, e.g. `conv 1x56x56x64 to 64 k3 s1`; p, d, g where not as usual."""
        text = f"conv {self.images}x{self.height}x{self.width}x{self.channels} to {self.out_channels}"
        text += f" k{_pair(self.kernel)} s{_pair(self.strides)}"
        half = [d * (k // 2) for k, d in zip(self.kernel, self.dilations, strict=True)]
        if self.pads != (*half, *half):
            text += f" p{self.pads[0]}" if len(set(self.pads)) == 1 else f" p{'-'.join(map(str, self.pads))}"
        if self.dilations != (1, 1):
            text += f" d{_pair(self.dilations)}"
        return text + (f" g{self.groups}" if self.groups > 1 else "")


Problem = GemmProblem | ConvProblem


def _pair(values: tuple[int, int]) -> str:
    return str(values[0]) if values[0] == values[1] else f"{values[0]}x{values[1]}"


@dataclass(frozen=True, slots=True)
class KernelCell:
    """A problem, the spec of its numbers as a token such as `w4g32-a8t`, the output, and the threads it may use."""

    problem: Problem
    spec: str
    out: OutputKind
    threads: int = 1

    def __post_init__(self) -> None:
        if self.out not in get_args(OutputKind):
            raise QBenchError(f"kernel cell: out must be s32, u8 or f32, got '{self.out}'")
        if self.threads < 1:
            raise QBenchError(f"kernel cell: expected at least one thread, got {self.threads}")
        if isinstance(self.layer_spec.weights.granularity, PerGroup) and self.out != "f32":
            raise QBenchError(f"kernel cell: scales in groups need out f32, got '{self.spec}' to {self.out}")

    @property
    def layer_spec(self) -> LayerSpec:
        """The parsed spec."""
        return parse_spec(self.spec)

    @property
    def group_size(self) -> int:
        """Numbers of the depth that share a scale; 0 when not grouped."""
        granularity = self.layer_spec.weights.granularity
        return granularity.group_size if isinstance(granularity, PerGroup) else 0

    @property
    def key(self) -> str:
        """Unique and readable, e.g. `gemm 512x768x768/w8c-a8t/s32/t2`."""
        return f"{self.problem.label}/{self.spec}/{self.out}/t{self.threads}"


@dataclass(frozen=True, slots=True, eq=False)
class KernelOperands:
    """The numbers that a cell is fed: the same for qbench and for every peer.

    Args:
        lhs: codes, (m, k) or NHWC: uint8 for uniform formats, int8 -1, 0, 1 or -1, 1 for ternary and binary,
            float32 where activations are not quantized.
        rhs: int8 codes, (n, k) or OHWI.
        lhs_scale: scale of the lhs.
        lhs_zero_point: code of the lhs that stands for 0; 0 for ternary and binary.
        rhs_scale: float32 (n,), or (n, groups) with one scale for each group of the depth.
        bias: int32 (n,), counted in acc's units; only added for u8 outputs.
        out_scale: scale of u8 outputs.
        out_zero_point: code of u8 outputs that stands for 0.
    """

    lhs: npt.NDArray[np.generic]
    rhs: npt.NDArray[np.int8]
    lhs_scale: float
    lhs_zero_point: int
    rhs_scale: npt.NDArray[np.float32]
    bias: npt.NDArray[np.int32]
    out_scale: float = 1.0
    out_zero_point: int = 0
