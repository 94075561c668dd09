"""Operators that look at the image through windows, and the padding around it."""

from __future__ import annotations

from qbench.graph.draft import Draft, ZeroPad
from qbench.graph.network import Flatten, Pads, Pair, Pool, PoolKind
from qbench.graph.node_reader import NodeReader
from qbench.graph.shapes import same_pads, window_count


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
    kernel, strides = node.pair("kernel_shape"), node.pair("strides", (1, 1))
    if node.pair("dilations", (1, 1)) != (1, 1) or len([name for name in node.proto.output if name]) > 1:
        raise node.fail("dilations and a second output are not covered")
    pads = pads_of(node, kernel, strides, (1, 1))
    if max(pads[0], pads[2]) >= kernel[0] or max(pads[1], pads[3]) >= kernel[1]:
        raise node.fail(f"expected pads smaller than the kernel {kernel}, got {pads}")
    if node.integer("ceil_mode", 0):
        pads = _ceil_pads(node, kernel, strides, pads)
    if node.op == "MaxPool":
        return Pool(node.scope(), "max", node.tensor(), node.output, kernel, strides, pads)
    include = bool(node.integer("count_include_pad", 0))
    return Pool(node.scope(), "average", node.tensor(), node.output, kernel, strides, pads, include)


def _ceil_pads(node: NodeReader, kernel: Pair, strides: Pair, pads: Pads) -> Pads:
    """Return pads that give the windows of ceil_mode: more padding at the end, which a maximum does not see."""
    _, *sizes = node.image()
    ends = list(pads[2:])
    for axis in (0, 1):
        padded = sizes[axis] + pads[axis] + pads[2 + axis]
        short = -(padded - kernel[axis]) % strides[axis]
        windows = window_count(sizes[axis], kernel=kernel[axis], stride=strides[axis], padding=pads[axis] + ends[axis])
        if short and windows * strides[axis] < sizes[axis] + pads[axis]:  # the extra window starts on the image
            ends[axis] += short
    if tuple(ends) != pads[2:] and node.op != "MaxPool":
        raise node.fail("ceil_mode is not covered where it adds a window")
    return (pads[0], pads[1], ends[0], ends[1])


def global_pool(node: NodeReader) -> Draft:
    """Read GlobalAveragePool or GlobalMaxPool."""
    _, height, width = node.image()
    kind: PoolKind = "max" if node.op == "GlobalMaxPool" else "global_average"
    return Pool(node.scope(), kind, node.tensor(), node.output, (height, width))


def reduce_mean(node: NodeReader) -> tuple[Draft, ...]:
    """Read the ReduceMean that is a global average; without keepdims a Flatten follows."""
    axes = node.several("axes") if node.opset < 18 else (node.integers(1, "axes") if node.has(1) else None)
    _, height, width = node.image()
    if axes is None or {axis % 4 for axis in axes} != {2, 3}:
        raise node.fail(f"only the mean over axes 2 and 3 is covered, got axes {axes}")
    if node.integer("keepdims", 1):
        return (Pool(node.scope(), "global_average", node.tensor(), node.output, (height, width)),)
    mean = f"{node.output}:mean"
    pooled = Pool(node.scope(), "global_average", node.tensor(), mean, (height, width))
    return pooled, Flatten(node.scope(), mean, node.output)


def pad(node: NodeReader) -> Draft:
    """Read Pad with zeros around the image; a later pass merges it into a Conv."""
    values = node.several("pads") if node.opset < 11 else node.integers(1, "pads")
    value = node.number("value", 0.0) if node.opset < 11 else node.scalar(2, "value", 0.0)
    mode = node.word("mode", "constant")
    if values is None or len(values) != 8 or node.has(3) or mode != "constant" or value != 0.0:
        raise node.fail(f"only zeros around images are covered, got mode '{mode}', value {value}, pads {values}")
    top, left, bottom, right = values[2], values[3], values[6], values[7]
    if values[0] or values[1] or values[4] or values[5] or min(top, left, bottom, right) < 0:
        raise node.fail(f"only rows and columns can be padded, by at least 0, got pads {values}")
    return ZeroPad(node.scope(), node.tensor(), node.output, (top, left, bottom, right))
