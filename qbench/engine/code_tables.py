"""Functions of one number between codes, as tables: what a node does to each of an activation's 256 codes.

    out = table[code],   table[code] = round(f((code - zero_point) * scale) / out_scale + out_zero_point)

Rounding is that of `qbench.methods.law`, in float32: a table gives what computing in float and quantizing would.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qbench.engine.container import Container
from qbench.graph.functions import evaluate
from qbench.graph.nodes import ChannelAffine, Clamp, Unary

Table = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]
SIZE = 256


def unary_table(node: Unary, source: Container, target: Container) -> Table:
    """Return the codes (256,) that a function of each number gives."""
    return _codes(evaluate(node.function, _reals(source), node.parameters), target)


def requantize_table(source: Container, target: Container, *, clamp: Clamp | None = None) -> Table:
    """Return the codes (256,) of the same numbers in another container: for Concat, Select, Resize and clamps alone."""
    reals = _reals(source)
    return _codes(reals if clamp is None else np.clip(reals, clamp.low, clamp.high), target)


def affine_tables(node: ChannelAffine, source: Container, target: Container) -> Table:
    """Return a table for every channel (c, 256) of x * scale + offset, clamped where the node says so."""
    made: Reals = _reals(source) * node.scale[:, None].astype(np.float64) + node.offset[:, None].astype(np.float64)
    if node.activation is not None:
        made = np.clip(made, node.activation.low, node.activation.high)
    return _codes(made, target)


def _reals(box: Container) -> Reals:
    """Return what each of 256 codes stands for; codes beyond the highest stand for it, as they never come."""
    codes = np.minimum(np.arange(SIZE), box.high)
    return (codes.astype(np.float64) - box.zero_point) * np.float64(np.float32(box.scale))


def _codes(reals: Reals, box: Container) -> Table:
    """Return the codes of numbers; what a function leaves undefined (NaN) becomes the code of zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        t = reals.astype(np.float32) * np.float32(box.inverse_scale) + np.float32(box.round_offset)
        rounded = np.floor(t) if box.floor else np.rint(t)
    known = np.where(np.isnan(rounded), box.pad_code, rounded)
    return np.asarray(np.clip(known, 0, box.high), np.uint8)
