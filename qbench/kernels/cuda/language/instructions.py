"""Names of the matrix instructions in PTX, and the fields of the descriptors of operands in shared memory."""

from __future__ import annotations

MMA = {
    "u8s8": "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32",
    "s8u8": "mma.sync.aligned.m16n8k32.row.col.s32.s8.u8.s32",
    "b1": "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc",
    "f16": "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
}
WGMMA = {"u8s8": "k32.s32.u8.s8", "s8u8": "k32.s32.s8.u8", "b1": "k256.s32.b1.b1.and.popc"}
SWIZZLE_128 = 1 << 62
STRIDE_OF_8_ROWS = (1024 >> 4) << 32
LEADING = 1 << 16
