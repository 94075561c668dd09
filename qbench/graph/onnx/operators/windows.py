"""Operators that look at the image through windows, and the padding around it."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np

from qbench.graph.nodes import Coordinates, Flatten, Interpolate, Pads, Pair, Pool, PoolKind, Resize, Select, TokenMean
from qbench.graph.onnx.draft import Alias, Draft, UntypedError, ZeroPad
from qbench.graph.onnx.node_reader import NodeReader
from qbench.graph.onnx.operators.channels import channel_axis
from qbench.graph.shapes import same_pads, window_count

MOST_CHANNELS = 2**16
"""Zeros may be put beside so many channels at most: a `Select` names every channel."""


def pads_of(node: NodeReader, kernel: Pair, strides: Pair, dilations: Pair) -> Pads:
    """Return the padding of a Conv or pool, whichever way the file says it."""
    mode = node.word("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        _, height, width = node.image()
        upper = mode == "SAME_UPPER"
        return same_pads((height, width), kernel=kernel, strides=strides, dilations=dilations, upper=upper)
    if mode not in ("NOTSET", "VALID"):
        raise node.fail(f"auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, got '{mode}'")
    values = (node.several("pads") if mode == "NOTSET" else None) or (0, 0, 0, 0)
    if len(values) != 4 or min(values) < 0:
        raise node.fail(f"expected four pads of at least 0, got {values}")
    return (values[0], values[1], values[2], values[3])


def pool(node: NodeReader) -> Draft:
    """Read MaxPool or AveragePool."""
    node.image()
    kernel, strides = node.pair("kernel_shape"), node.pair("strides", (1, 1))
    if node.pair("dilations", (1, 1)) != (1, 1) or len(node.outputs) > 1:
        raise UntypedError("it has dilations or a second output")
    pads = pads_of(node, kernel, strides, (1, 1))
    if max(pads[0], pads[2]) >= kernel[0] or max(pads[1], pads[3]) >= kernel[1]:
        raise node.fail(f"expected pads smaller than the kernel {kernel}, got {pads}")
    include = bool(node.integer("count_include_pad", 0)) and node.op == "AveragePool" and any(pads)
    if node.integer("ceil_mode", 0):
        longer = _ceil_pads(node, kernel, strides, pads)
        if longer != pads and include:
            raise UntypedError("ceil_mode adds a window whose padding counts only in part")
        pads = longer
    kind: PoolKind = "max" if node.op == "MaxPool" else "average"
    return Pool(node.scope(), kind, node.tensor(), node.output, kernel, strides, pads, include)


def _ceil_pads(node: NodeReader, kernel: Pair, strides: Pair, pads: Pads) -> Pads:
    """Return pads that give the windows of ceil_mode: more padding at the end, which changes no other window."""
    _, *sizes = node.image()
    ends = list(pads[2:])
    for axis in (0, 1):
        padded = sizes[axis] + pads[axis] + pads[2 + axis]
        short = -(padded - kernel[axis]) % strides[axis]
        windows = window_count(sizes[axis], kernel=kernel[axis], stride=strides[axis], padding=pads[axis] + ends[axis])
        if short and windows * strides[axis] < sizes[axis] + pads[axis]:  # the extra window starts on the image
            ends[axis] += short
    return (pads[0], pads[1], ends[0], ends[1])


def global_pool(node: NodeReader) -> Draft:
    """Read GlobalAveragePool or GlobalMaxPool."""
    _, height, width = node.image()
    kind: PoolKind = "max" if node.op == "GlobalMaxPool" else "global_average"
    return Pool(node.scope(), kind, node.tensor(), node.output, (height, width))


def reduce_mean(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read the ReduceMean over all tokens, or that is a global average; without keepdims a Flatten follows this."""
    axes = node.axes(1, since=18)
    if len(node.shape()) == 2 and axes in ((1,), (-2,)) and not node.integer("keepdims", 1):
        return TokenMean(node.scope(), node.tensor(), node.output)
    return _over_image(node, axes, "global_average")


def reduce_max(node: NodeReader) -> Draft | tuple[Draft, ...]:
    """Read the ReduceMax that is a global maximum; without keepdims a Flatten follows this."""
    return _over_image(node, node.axes(1, since=18), "max")


def _over_image(node: NodeReader, axes: tuple[int, ...] | None, kind: PoolKind) -> Draft | tuple[Draft, ...]:
    _, height, width = node.image()
    if axes is None or {axis % 4 for axis in axes} != {2, 3}:
        raise UntypedError(f"over axes {axes}, not 2 and 3")
    if node.integer("keepdims", 1):
        return Pool(node.scope(), kind, node.tensor(), node.output, (height, width))
    whole = f"{node.output}:{'mean' if kind == 'global_average' else kind}"
    pooled = Pool(node.scope(), kind, node.tensor(), whole, (height, width))
    return pooled, Flatten(node.scope(), whole, node.output)


def pad(node: NodeReader) -> Draft:
    """Read Pad with zeros around the image, which a later pass merges into a window, or beside the channels."""
    shape, pads = node.shape(), _pads_by_axis(node)
    value = node.number("value", 0.0) if node.opset < 11 else node.scalar(2, "value", 0.0)
    mode = node.word("mode", "constant")
    if all(pair == (0, 0) for pair in pads):
        return Alias(node.scope(), node.tensor(), node.output)
    if mode != "constant" or value != 0.0:
        raise UntypedError(f"pads otherwise than with zeros: mode '{mode}', value {value}")
    wide = [axis for axis, pair in enumerate(pads) if pair != (0, 0)]
    if min(min(pair) for pair in pads) < 0:
        raise UntypedError(f"pads by less than 0: {pads}")
    channels = channel_axis(shape)
    if wide == [channels + 1] and 0 < shape[channels] < MOST_CHANNELS > max(pads[channels + 1]):
        before, after = pads[channels + 1]
        kept = (*[-1] * before, *range(shape[channels]), *[-1] * after)
        return Select(node.scope(), node.tensor(), node.output, kept)
    if len(shape) != 3 or min(wide) < 2:
        raise UntypedError(f"pads axes {wide} of (batch, {shape})")
    (top, bottom), (left, right) = pads[2:]
    raw = node.raw("no window can take it in")
    return ZeroPad(node.scope(), node.tensor(), node.output, (top, left, bottom, right), raw)


def _pads_by_axis(node: NodeReader) -> list[tuple[int, int]]:
    """Return what a Pad adds before and after each axis, the batch first."""
    rank = len(node.shape()) + 1
    values = (node.several("pads") or ()) if node.opset < 11 else node.integers(1, "pads")
    axes = node.integers(3, "axes") if node.has(3) else tuple(range(rank))
    if len(values) != 2 * len(axes) or not all(-rank <= axis < rank for axis in axes):
        raise node.fail(f"expected two pads for each of the axes {axes} of rank {rank}, got {values}")
    pads = [(0, 0)] * rank
    for axis, before, after in zip(axes, values[: len(axes)], values[len(axes) :], strict=True):
        pads[axis % rank] = (before, after)
    return pads


def resize(node: NodeReader) -> Draft:
    """Read the Resize or Upsample that repeats every pixel a whole number of times, or is linear between them."""
    (channels, height, width), written = node.image(), node.written()
    mode = node.word("mode", "nearest")
    if mode not in ("nearest", "linear") or written[0] != channels or node.several("axes") is not None:
        raise UntypedError(f"mode '{mode}', or other axes than rows and columns")
    if mode == "linear":
        return _interpolate(node, (height, width), (written[1], written[2]))
    factors = (written[1] // height, written[2] // width)
    if (factors[0] * height, factors[1] * width) != written[1:]:
        raise UntypedError(f"enlarges {(height, width)} to {written[1:]}, not by whole numbers")
    if not _repeats(node, height, factors[0]) or not _repeats(node, width, factors[1]):
        raise UntypedError("its rounding does not repeat every pixel equally often")
    return Resize(node.scope(), node.tensor(), node.output, factors)


def _interpolate(node: NodeReader, old: Pair, new: Pair) -> Interpolate:
    """Read a Resize that is linear between pixels."""
    how = node.word("coordinate_transformation_mode", "asymmetric" if node.opset < 11 else "half_pixel")
    if how not in get_args(Coordinates) or node.integer("antialias", 0):
        raise UntypedError(f"its coordinates are '{how}', or it averages what it makes smaller")
    place = 1 if node.opset < 11 else 2
    scales = node.array(place, "scales") if node.is_constant(place) else np.zeros(0)
    factors = [made / given for made, given in zip(new, old, strict=True)]
    if min(new) < 1 or (scales.size and not np.allclose(scales.astype(np.float64)[-2:], factors, rtol=1e-6)):
        raise UntypedError("its scales are not those of the sizes")
    reached = [math.floor(np.float32(size) * np.float32(factor)) for size, factor in zip(old, factors, strict=True)]
    if tuple(reached) != new:
        raise UntypedError(f"no scale in float32 takes {old} to {new}")
    return Interpolate(node.scope(), node.tensor(), node.output, new, how)  # type: ignore[arg-type]


def _repeats(node: NodeReader, size: int, factor: int) -> bool:
    """Whether ONNX's formula for the source of an output pixel gives pixel // factor."""
    how = node.word("coordinate_transformation_mode", "asymmetric" if node.opset < 11 else "half_pixel")
    rounding = node.word("nearest_mode", "floor" if node.opset < 11 else "round_prefer_floor")
    pixel = np.arange(size * factor, dtype=np.float64)
    if how in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        source = (pixel + 0.5) / factor - 0.5
    elif how == "asymmetric":
        source = pixel / factor
    else:
        return factor == 1
    rounded = {
        "floor": np.floor(source), "ceil": np.ceil(source), "round_prefer_floor": np.ceil(source - 0.5),
        "round_prefer_ceil": np.floor(source + 0.5),
    }.get(rounding, source)  # fmt: skip
    return bool(np.array_equal(np.clip(rounded, 0, size - 1), np.arange(size * factor) // factor))
