"""Operations that compute next to nothing for each byte that they move: their limit is the memory.

Bytes moved are what is read plus what is written, each byte once. A plain store into memory that no cache holds reads
its line first; that read is not counted, since a store past the caches does without it. So a kernel that stores plainly
loses by it, as it should.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from qbench.core.cells.product import OutputKind
from qbench.core.spec import LayerSpec, parse_spec
from qbench.errors import QBenchError

MemoryOperation = Literal[
    "quantize", "dequantize", "requantize", "requantize-s32", "add", "concat", "max-pool", "average-pool",
    "pack-b1", "pack-t2", "pack-p2", "unpack-b1", "unpack-t2",
]  # fmt: skip
OPERATIONS: tuple[str, ...] = get_args(MemoryOperation)
POOL_KERNEL, POOL_STRIDE, POOL_PAD = 3, 2, 1
"""The window of `max-pool`: that of ResNets."""

_SPECS = {"pack-b1": "w32-ab", "unpack-b1": "w32-ab", "pack-t2": "w32-at", "unpack-t2": "w32-at", "pack-p2": "w32-a2t"}
_BITS = {"b1": 1, "t2": 2, "p2": 2}


@dataclass(frozen=True, slots=True)
class MemoryProblem:
    """One operation on an NHWC tensor (images, height, width, channels), that of the codes.

    `quantize` makes codes of float32, `dequantize` float32 of codes; `requantize` looks up u8 codes in a table of 256,
    `requantize-s32` makes codes of 32-bit sums; `add` adds two tensors; `concat` joins two of half the channels;
    `max-pool` has ResNet's window, `average-pool` takes the whole image; `pack-b1`, `-t2`, `-p2` make words of bits of
    binary, ternary and 2-bit codes, `unpack` codes of words.
    """

    operation: MemoryOperation
    images: int
    height: int
    width: int
    channels: int

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise QBenchError(f"memory: expected one of {', '.join(OPERATIONS)}, got '{self.operation}'")
        if min(self.images, self.height, self.width, self.channels) < 1:
            raise QBenchError(f"memory: expected sizes of at least 1, got {self}")
        if self.operation == "concat" and self.channels % 2:
            raise QBenchError(f"concat: expected an even number of channels, got {self.channels}")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, height, width, channels."""
        return (self.images, self.height, self.width, self.channels)

    @property
    def depth(self) -> int:
        """Numbers that are summed up for one number of the output: none."""
        return 1

    @property
    def numbers(self) -> int:
        """Codes of the tensor."""
        return self.images * self.height * self.width * self.channels

    @property
    def operations(self) -> int:
        """One for each number: a rate in 10^9 numbers per second."""
        return self.numbers

    @property
    def read_bytes(self) -> int:
        """Bytes that are read, tables and parameters of channels left out."""
        wide = {"quantize": 4, "requantize-s32": 4, "add": 2}
        if self.operation.startswith("unpack"):
            return self._word_bytes
        return wide.get(self.operation, 1) * self.numbers

    @property
    def written_bytes(self) -> int:
        """Bytes that are written."""
        if self.operation.startswith("pack"):
            return self._word_bytes
        if self.operation == "average-pool":
            return self.images * self.channels
        if self.operation == "max-pool":
            height, width = self.pooled
            return self.images * height * width * self.channels
        return (4 if self.operation == "dequantize" else 1) * self.numbers

    @property
    def pooled(self) -> tuple[int, int]:
        """Height and width after `max-pool`."""
        sizes = ((size + 2 * POOL_PAD - POOL_KERNEL) // POOL_STRIDE + 1 for size in (self.height, self.width))
        height, width = sizes
        return height, width

    @property
    def moved_bytes(self) -> int:
        """Bytes that are read and written."""
        return self.read_bytes + self.written_bytes

    @property
    def label(self) -> str:
        """Operation, images, height, width, channels, e.g. `add 64x64x64x256`."""
        return f"{self.operation} {'x'.join(map(str, self.shape))}"

    @property
    def _word_bytes(self) -> int:
        planes = _BITS[self.operation.rpartition("-")[2]]
        return self.images * self.height * self.width * 4 * planes * -(-self.channels // 32)


@dataclass(frozen=True, slots=True)
class MemoryCell:
    """A memory operation and the threads it may use; its numbers follow from the operation."""

    problem: MemoryProblem
    threads: int = 1

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise QBenchError(f"memory cell: expected at least one thread, got {self.threads}")

    @property
    def spec(self) -> str:
        """The token of its numbers: there are no weights, which `w32` says."""
        return _SPECS.get(self.problem.operation, "w32-a8t")

    @property
    def out(self) -> OutputKind:
        """The numbers that are written; words of bits count as `s32`."""
        if self.problem.operation == "dequantize":
            return "f32"
        return "s32" if self.problem.operation.startswith("pack") else "u8"

    @property
    def layer_spec(self) -> LayerSpec:
        """The parsed spec."""
        return parse_spec(self.spec)

    @property
    def group_size(self) -> int:
        """Numbers of the depth that share a scale: not grouped."""
        return 0

    @property
    def key(self) -> str:
        """Unique and readable, e.g. `add 64x64x64x256/u8/t2`."""
        return f"{self.problem.label}/{self.out}/t{self.threads}"
