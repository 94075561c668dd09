"""Which buffers hold a tensor so far, and the conversions that make another when a node wants one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from qbench.core.tensor import QParams
from qbench.engine.container import Container
from qbench.engine.kinds import has_tokens
from qbench.engine.plans.forms import Form, borders, containers, is_image, name_of, why_not_counted
from qbench.engine.plans.plan import Step
from qbench.engine.plans.ready import Ready
from qbench.engine.rows_of_taps import takes_rows
from qbench.engine.steps import conversions, dynamic
from qbench.graph.network import Flatten
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.layout import Layout, padded_channels
from qbench.kernels.product import U8_S8, Product

T = TypeVar("T")
Layouts = Mapping[str, Layout]
Make = Callable[[Layouts], Step]
_SOURCES: Mapping[Form, tuple[Form, ...]] = {
    "codes": ("reals", "plain"),
    "reals": ("codes", "plain"),
    "plain": ("reals", "codes"),
    "fake": ("codes", "reals", "plain"),
}
"""Form -> the forms that it is made of, the one that serves best first."""


@dataclass(frozen=True, slots=True)
class Op:
    """A step to be made once the layouts are known; see `stages.Placed`."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    make: Make
    beside: bool = False


@dataclass(slots=True)
class Kept:
    """The forms of every tensor, as far as the steps go.

    A tensor is `raw` while its reals are what a float step or the caller gave, though it is quantized: whoever wants
    them then gets what its codes stand for. Rows of tokens stay raw: only layers see their codes.

    Args:
        ready: the network.
        quantized: its codes and parameters.
        integer: whether anything runs on codes.
    """

    ready: Ready
    quantized: QuantizedNetwork
    integer: bool
    ops: list[Op] = field(default_factory=list)
    loads: dict[str, Op] = field(default_factory=dict)
    layouts: dict[str, Layout] = field(default_factory=dict)
    fills: dict[str, float] = field(default_factory=dict)
    boxes: dict[str, Container] = field(init=False)
    wide: dict[str, Container] = field(init=False)
    _counted: frozenset[str] = field(init=False)
    _forms: dict[str, list[Form]] = field(default_factory=dict)
    _same: dict[str, str] = field(default_factory=dict)
    _raw: set[str] = field(default_factory=set)
    _borders: dict[str, tuple[int, int, int, int]] = field(init=False)
    _tokens: bool = field(init=False)
    _ends: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        network = self.ready.network
        self.boxes = containers(self.quantized) if self.integer else {}
        self.wide = containers(self.quantized, wide=True) if self.integer else {}
        self._borders, self._tokens = borders(network.nodes), has_tokens(network)
        self._raw = set(network.inputs)
        for node in network.nodes:
            if isinstance(node, Flatten) and self.ready.grids[node.input][:2] == (1, 1):
                self._same[node.output] = self.owner(node.input)
        self._ends = frozenset(self.owner(output) for output in network.outputs)
        counted = [layer.input for layer in network.layers if not why_not_counted(self.quantized, layer)]
        self._counted = frozenset(map(self.owner, counted)) if self.integer else frozenset()

    @property
    def is_single(self) -> bool:
        """Whether a pass must be one sample: an input or output has no batch of its own."""
        network = self.ready.network
        return bool(network.unbatched & {*network.inputs, *network.outputs})

    def owner(self, tensor: str) -> str:
        """Return the tensor whose buffers a flattened one shares, or the tensor itself."""
        return self._same.get(tensor, tensor)

    def params(self, tensor: str) -> QParams | None:
        """Return a tensor's parameters."""
        return self.quantized.activations.get(self.quantized.network.unflattened(tensor))

    def for_everyone(self, tensor: str) -> bool:
        """Whether all that read a tensor see it quantized, where it is."""
        network = self.ready.network
        return not self.is_output(tensor) and (not self._tokens or is_image(network, tensor, self.ready.grids))

    def is_output(self, tensor: str) -> bool:
        """Whether a tensor, or what it is flattened to, is an output of the network."""
        return self.owner(tensor) in self._ends

    def is_bordered(self, tensor: str) -> bool:
        """Whether a tensor's buffers have a border for someone's padding."""
        return any(self._borders.get(self.owner(tensor), ()))

    def is_raw(self, tensor: str) -> bool:
        """Whether a tensor's reals are not yet what its codes stand for."""
        return self.owner(tensor) in self._raw

    def has_codes(self, tensor: str) -> bool:
        """Whether a tensor is kept as codes by now, or is an input that will be."""
        tensor = self.owner(tensor)
        waiting = tensor in self.ready.network.inputs and tensor not in self._forms and self.for_everyone(tensor)
        return tensor in self.boxes and (waiting or "codes" in self._forms.get(tensor, ()))

    def write(self, tensor: str, form: Form, *, raw: bool = True) -> str:
        """Note that the next step writes a tensor in a form; return the buffer."""
        self._forms[tensor] = [form]
        if raw and form != "codes":
            self._raw.add(tensor)
        return self.buffer(tensor, form)

    def add(self, reads: tuple[str, ...], writes: tuple[str, ...], make: Make, *, beside: bool = False) -> None:
        """Put a step behind the others."""
        self.ops.append(Op(reads, writes, make, beside))

    def need(self, tensor: str, form: Form) -> str:
        """Return the buffer that holds a tensor in a form, made now where it is not there yet."""
        tensor = self.owner(tensor)
        if form == "reals" or form == "plain":
            self._settle(tensor)
        return self._as_is(tensor, form)

    def _as_is(self, tensor: str, form: Form) -> str:
        """Return the buffer that holds a tensor in a form, raw where it is raw."""
        kept = self._forms.setdefault(tensor, [])
        if form not in kept:
            source = next((source for source in _SOURCES[form] if source in kept), None)
            self._load(tensor, form) if source is None else self._convert(tensor, source, form)
        return name_of(tensor, form)

    def packed(self, tensor: str, product: Product) -> str:
        """Return the buffer that holds the bits of a tensor's codes for a product."""
        codes = self.need(tensor, "codes")
        name = f"{self.owner(tensor)}:{product.lhs}"
        if name not in self.layouts:
            layout = self.layouts[codes]
            self.layouts[name] = replace(layout, words=product.pixel_words(layout.channels), item_bytes=4)
            self.add((codes,), (name,), partial(conversions.pack_step, (codes, name), product=product), beside=True)
        return name

    def counted(self, tensor: str) -> tuple[str, str]:
        """Return the buffers of a tensor's dynamic codes and of their scales, made of reals that are still raw."""
        tensor = self.owner(tensor)
        names, params = (f"{tensor}:counted", f"{tensor}:scales"), _known(self.params(tensor))
        if names[0] not in self.layouts:
            source = self._as_is(tensor, "reals")
            self.layouts.update(zip(names, dynamic.layouts_of(self.layouts[source], params), strict=True))
            self.add((source,), names, partial(dynamic.codes_step, tensor, source, names, params=params), beside=True)
        return names

    def buffer(self, tensor: str, form: Form) -> str:
        """Return the name of the buffer of a form, with a layout of one image."""
        name = name_of(tensor, form)
        if name not in self.layouts:
            self.layouts[name] = self._layout(tensor, form)
            if form == "codes":
                self.fills[name] = float(self.boxes[tensor].pad_code)
        return name

    def sum_of(self, tensor: str, word: str = "sum") -> str:
        """Return a buffer like a tensor's reals, for what something is still to be added to; `word` tells several."""
        name = f"{tensor}:{word}"
        self.layouts[name] = replace(self._layout(tensor, "reals"), border=(0, 0, 0, 0))
        return name

    def _settle(self, tensor: str) -> None:
        """Replace a raw tensor by what its codes stand for, where it is quantized for everyone."""
        if tensor not in self._raw or not self.for_everyone(tensor):
            return
        self._raw.discard(tensor)
        params = self.params(tensor)
        if tensor in self.boxes:
            self.need(tensor, "codes")
            self._forms[tensor] = ["codes"]
        elif params is not None and tensor in self.ready.grids:
            name = self.need(tensor, "reals")
            reads: tuple[str, ...] = (name,)
            make: Make = partial(conversions.fake_step, tensor, name, params=params)
            if tensor in self._counted:
                reads = codes = self.counted(tensor)
                make = partial(dynamic.reals_step, tensor, codes, name)
            self.add(reads, (name,), make, beside=True)
            self._forms[tensor] = ["reals"]

    def _load(self, tensor: str, form: Form) -> None:
        """Take an input from the caller's array: as codes where all want them so, else as it is."""
        rows = not is_image(self.ready.network, tensor, self.ready.grids) and self._height(tensor) > 1
        if tensor not in self.ready.grids or form == "plain":
            name, kind = self.buffer(tensor, "plain"), self.ready.network.dtypes.get(tensor, "float32")
            self._loaded(tensor, name, partial(conversions.load_rows, tensor, name, kind=kind))
            self._forms[tensor] = ["plain"]
        elif rows or not self.for_everyone(tensor) or form != "codes":
            name = self.buffer(tensor, "reals")
            as_rows = partial(conversions.load_rows, tensor, name, kind="float32")
            self._loaded(tensor, name, as_rows if rows else partial(conversions.load_images, tensor, name, box=None))
            self._forms[tensor] = ["reals"]
        else:
            name = self.buffer(tensor, "codes")
            self._loaded(tensor, name, partial(conversions.load_images, tensor, name, box=self.boxes[tensor]))
            self._forms[tensor] = ["codes"]
        if form not in self._forms[tensor]:
            self._as_is(tensor, form)

    def _loaded(self, tensor: str, name: str, make: Make) -> None:
        self.loads[tensor] = Op((), (name,), make)

    def load_rest(self) -> None:
        """Take the inputs that no step reads as they are, so that every input has a place."""
        for tensor in self.ready.network.inputs:
            if tensor not in self.loads:
                self._load(tensor, "plain")

    def _height(self, tensor: str) -> int:
        return self.ready.grids[tensor][0] if tensor in self.ready.grids else 1

    def _convert(self, tensor: str, source: Form, form: Form) -> None:
        """Put the step that makes a form of another, by way of the reals where none does it at once."""
        image = is_image(self.ready.network, tensor, self.ready.grids)
        through = (source, form) == ("plain", "fake") or (not image and {source, form} == {"plain", "codes"})
        if through:
            self._convert(tensor, source, "reals")
            return self._convert(tensor, "reals", form)
        ends, box = (name_of(tensor, source), self.buffer(tensor, form)), self.boxes.get(tensor)
        make: Make
        match source, form:
            case "plain", _:
                to = box if form == "codes" else None
                make = partial(conversions.from_plain, tensor, ends, box=to) if image else partial(
                    conversions.from_rows, tensor, ends
                )  # fmt: skip
            case _, "plain":
                of = box if source == "codes" else None
                make = partial(conversions.to_plain, tensor, ends, box=of) if image else partial(
                    conversions.to_rows, tensor, ends
                )  # fmt: skip
            case "reals", "codes":
                make = partial(conversions.to_codes, tensor, ends, box=_known(box))
            case "reals", "fake":
                make = partial(conversions.copy_step, tensor, ends)
            case _:
                make = partial(conversions.to_reals, tensor, ends, box=_known(box))
        self.add(ends[:1], ends[1:], make, beside=True)
        self._forms[tensor].append(form)
        if (source, form) == ("reals", "fake"):
            step = partial(conversions.fake_step, tensor, ends[1], params=_known(self.params(tensor)))
            self.add(ends[1:], ends[1:], step, beside=True)
        return None

    def _layout(self, tensor: str, form: Form) -> Layout:
        network = self.ready.network
        if form == "plain":
            size = math.prod(network.shapes[tensor])
            return Layout(1, 1, 1, size, size, np.dtype(network.dtypes.get(tensor, "float32")).itemsize)
        height, width, channels = self.ready.grids[tensor]
        words = padded_channels(channels)
        if form == "codes" and tensor in network.inputs and (width > 1 or height == 1):
            by_rows = tensor == network.input and takes_rows(network, self.quantized.weights, self.boxes[tensor])
            words = channels if by_rows else U8_S8.pixel_words(channels)
        if form == "reals" and tensor in network.inputs and is_image(network, tensor, self.ready.grids):
            words = channels  # float kernels read one number at a time: three colours need no 16 places
        item = 1 if form == "codes" else 4
        return Layout(1, height, width, channels, words, item, self._borders.get(tensor, (0, 0, 0, 0)))


def _known(found: T | None) -> T:
    assert found is not None
    return found
