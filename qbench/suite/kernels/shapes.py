"""The shapes that kernel suites sweep: the distinct layers of known networks, and shapes written out in the suite.

A shape is written `gemm 512x768x3072` (rows x depth x columns of one item) or `conv 56x56x64 to 128 k3 s2` (height,
width, channels, output channels, kernel, stride); `p0`, `d2`, `g64` say padding, dilation and groups where they are not
half the kernel, 1 and 1. `add 64x56x56x256` is a memory operation (`core.memory_problem`) on images, rows,
columns and channels. A batch multiplies the rows of a product and the images of everything else.
"""

from __future__ import annotations

import re

from qbench.core.cells.memory import OPERATIONS, MemoryProblem
from qbench.core.cells.product import ConvProblem, GemmProblem, Problem
from qbench.errors import SuiteError, suggest

_CONV = re.compile(
    r"conv (?P<height>\d+)x(?P<width>\d+)x(?P<channels>\d+) to (?P<out>\d+) k(?P<kernel>\d+)"
    r"(?: s(?P<stride>\d+))?(?: p(?P<pad>\d+))?(?: d(?P<dilation>\d+))?(?: g(?P<groups>\d+))?"
)
_GEMM = re.compile(r"gemm (\d+)x(\d+)x(\d+)")
_MEMORY = re.compile(rf"(?P<operation>{'|'.join(OPERATIONS)}) (\d+)x(\d+)x(\d+)x(\d+)")

_RESNET50 = """
224x224x3 to 64 k7 s2, 56x56x64 to 64 k1, 56x56x64 to 64 k3, 56x56x64 to 256 k1, 56x56x256 to 64 k1,
56x56x256 to 128 k1, 56x56x128 to 128 k3 s2, 56x56x256 to 512 k1 s2, 28x28x128 to 512 k1, 28x28x512 to 128 k1,
28x28x128 to 128 k3, 28x28x512 to 256 k1, 28x28x256 to 256 k3 s2, 28x28x512 to 1024 k1 s2, 14x14x256 to 1024 k1,
14x14x1024 to 256 k1, 14x14x256 to 256 k3, 14x14x1024 to 512 k1, 14x14x512 to 512 k3 s2, 14x14x1024 to 2048 k1 s2,
7x7x512 to 2048 k1, 7x7x2048 to 512 k1, 7x7x512 to 512 k3
"""
_RESNET18 = """
224x224x3 to 64 k7 s2, 56x56x64 to 64 k3, 56x56x64 to 128 k3 s2, 56x56x64 to 128 k1 s2, 28x28x128 to 128 k3,
28x28x128 to 256 k3 s2, 28x28x128 to 256 k1 s2, 14x14x256 to 256 k3, 14x14x256 to 512 k3 s2, 14x14x256 to 512 k1 s2,
7x7x512 to 512 k3
"""
_RESNET20 = """
32x32x3 to 16 k3, 32x32x16 to 16 k3, 32x32x16 to 32 k3 s2, 32x32x16 to 32 k1 s2, 16x16x32 to 32 k3,
16x16x32 to 64 k3 s2, 16x16x32 to 64 k1 s2, 8x8x64 to 64 k3
"""
_MOBILENETV2 = """
224x224x3 to 32 k3 s2, 112x112x32 to 16 k1, 112x112x16 to 96 k1, 56x56x96 to 24 k1, 56x56x24 to 144 k1,
56x56x144 to 24 k1, 28x28x144 to 32 k1, 28x28x32 to 192 k1, 28x28x192 to 32 k1, 14x14x192 to 64 k1, 14x14x64 to 384 k1,
14x14x384 to 64 k1, 14x14x384 to 96 k1, 14x14x96 to 576 k1, 14x14x576 to 96 k1, 7x7x576 to 160 k1, 7x7x160 to 960 k1,
7x7x960 to 160 k1, 7x7x960 to 320 k1, 7x7x320 to 1280 k1
"""
_DEPTHWISE = (
    (112, 32, 1), (112, 96, 2), (56, 144, 1), (56, 144, 2), (28, 192, 1), (28, 192, 2), (14, 384, 1), (14, 576, 1),
    (14, 576, 2), (7, 960, 1),
)  # fmt: skip
"""Size, channels, stride of MobileNetV2's depthwise layers."""

_BINARY = "56x56x64 to 64 k3, 28x28x128 to 128 k3, 14x14x256 to 256 k3"

_CODES = ("requantize", "add", "concat", "pack-b1", "pack-t2", "pack-p2", "unpack-b1", "unpack-t2")
_MEMORY_64_MIB = (
    "quantize 4096x1x1x4096", "quantize 112x224x224x3", "dequantize 16x64x64x256", "requantize-s32 16x64x64x256",
    *(f"{operation} 64x64x64x256" for operation in _CODES), "max-pool 84x112x112x64", "average-pool 672x7x7x2048",
)  # fmt: skip
"""64 MiB at the wider end: 16 million float32 or sums, 64 million codes."""


_CONV3X3 = """
56x56x64 to 64 k3, 28x28x128 to 128 k3, 14x14x256 to 256 k3, 7x7x512 to 512 k3, 32x32x16 to 16 k3, 16x16x32 to 32 k3,
8x8x64 to 64 k3
"""
"""The 3 x 3 layers at stride 1 of ResNet-18, -20 and -50."""


def _convs(text: str) -> tuple[str, ...]:
    return tuple(f"conv {part.strip()}" for part in text.split(","))


def _depthwise(kernel: int) -> tuple[str, ...]:
    return tuple(
        f"conv {size}x{size}x{channels} to {channels} k{kernel} s{stride} g{channels}"
        for size, channels, stride in _DEPTHWISE
    )


def _as_gemms(shapes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the products that convolutions are after im2col, each once."""
    found = []
    for text in shapes:
        problem = parse_shape(text, batch=1)
        assert isinstance(problem, ConvProblem)
        height, width = problem.out_size
        found.append(f"gemm {height * width}x{problem.depth}x{problem.out_channels}")
    return tuple(dict.fromkeys(found))


def _transformer(tokens: int, hidden: int, inner: int) -> tuple[str, ...]:
    pairs = ((hidden, hidden), (hidden, inner), (inner, hidden))
    return tuple(f"gemm {tokens}x{depth}x{columns}" for depth, columns in pairs)


def table(name: str) -> tuple[str, ...]:
    """Return the shapes of a table; raise SuiteError with a suggestion when there is none of that name."""
    if name not in TABLES:
        raise SuiteError(
            f"unknown shapes '{name}'{suggest(name, TABLES)}, or a shape such as 'gemm 512x768x3072', "
            "'conv 56x56x64 to 128 k3 s2' or 'add 64x64x64x256'"
        )
    return TABLES[name]


def parse_shape(text: str, *, batch: int) -> Problem | MemoryProblem:
    """Return the problem of a shape at a batch size; raise SuiteError when it cannot be read."""
    gemm, conv, memory = (form.fullmatch(text) for form in (_GEMM, _CONV, _MEMORY))
    if memory is not None:
        images, height, width, channels = map(int, memory.groups()[1:])
        return MemoryProblem(memory["operation"], batch * images, height, width, channels)  # type: ignore[arg-type]
    if gemm is not None:
        rows, depth, columns = map(int, gemm.groups())
        return GemmProblem(rows * batch, depth, columns)
    if conv is None:
        raise SuiteError(
            f"shape '{text}': expected 'gemm 512x768x3072', 'conv 56x56x64 to 128 k3 s2' or 'add 64x64x64x256'"
        )
    part = {name: int(value) for name, value in conv.groupdict().items() if value is not None}
    kernel, stride, dilation = part["kernel"], part.get("stride", 1), part.get("dilation", 1)
    pad = part.get("pad", dilation * (kernel // 2))
    return ConvProblem(
        batch,
        part["height"],
        part["width"],
        part["channels"],
        part["out"],
        (kernel, kernel),
        (stride, stride),
        (pad, pad, pad, pad),
        (dilation, dilation),
        part.get("groups", 1),
    )


TABLES: dict[str, tuple[str, ...]] = {
    "resnet50": _convs(_RESNET50),
    "resnet50-gemm": (*_as_gemms(_convs(_RESNET50)), "gemm 1x2048x1000"),
    "resnet18": _convs(_RESNET18),
    "resnet20": _convs(_RESNET20),
    "mobilenetv2": _convs(_MOBILENETV2),
    "mobilenetv2-depthwise": _depthwise(3),
    "mobilenetv2-depthwise5": _depthwise(5),
    "bert-base": _transformer(512, 768, 3072),
    "minilm": _transformer(128, 384, 1536),
    "decoder4096": ("gemm 1x4096x4096",),
    "conv3x3": _convs(_CONV3X3),
    "binary-conv": _convs(_BINARY),
    "memory": _MEMORY_64_MIB,
}
"""Name -> shapes. The decoder's layer takes its rows from the batch."""
