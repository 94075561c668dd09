"""A whole network on the device: planned once, every buffer resident, one graph of launches for a batch.

Tensors lie as they do on the CPU (NHWC codes with a border that holds the code of zero), and every kernel follows the
same laws, so the logits are those of the CPU's integer session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from qbench.core.tensor import Floats, QTensor
from qbench.engine.device.layouts import all_containers, code_layouts, flat_aliases
from qbench.engine.lowering.layers import lower
from qbench.engine.lowering.nodes import lower_add, lower_clamp, lower_pool
from qbench.engine.lowering.params import Ends
from qbench.engine.windows import window_of
from qbench.errors import DataError, MachineError
from qbench.graph.network import Activation, Add, Conv, Flatten, Linear, Node, Pool
from qbench.graph.quantized_network import QuantizedNetwork
from qbench.kernels.conv.params import ChannelParams
from qbench.kernels.cuda import steps
from qbench.kernels.cuda.choose.candidates import choose
from qbench.kernels.cuda.choose.choice import Choice, Job
from qbench.kernels.cuda.machines.machine import Buffer, Launch, Machine
from qbench.kernels.cuda.operands import Codes, Geometry
from qbench.kernels.cuda.operation import DeviceProduct, Task
from qbench.kernels.epilogue import Epilogue
from qbench.kernels.layout import Layout

Picker = Callable[[Task, Codes, ChannelParams, Job], Choice]
"""Says how a layer is computed; whoever has a clock can try the candidates."""


class DeviceSession:
    """A quantized network ready to run on batches of exactly `images` float32 images (n, c, h, w).

    Raises:
        NotIntegerError: a layer or a tensor has no integer form.
        MachineError: a node has no kernel on the device.
    """

    def __init__(
        self,
        machine: Machine,
        quantized: QuantizedNetwork,
        *,
        images: int,
        pick: Picker | None = None,
    ) -> None:
        network, weights = quantized.network, quantized.weights
        self.network, self.images, self._machine = network, images, machine
        self._pick = pick or (lambda task, codes, params, job: choose(job, machine.capability))
        self._boxes = all_containers(quantized)
        self._layouts, self._fills = code_layouts(network, self._boxes, images)
        self._buffers: dict[str, Buffer] = {}
        aliases = flat_aliases(network)
        for tensor in network.shapes:
            if tensor not in aliases:
                self._buffers[tensor] = self._empty(tensor)
        self._buffers |= {alias: self._buffers[owner] for alias, owner in aliases.items()}
        self.kernels: dict[str, str] = {}
        self.resident_bytes = 0
        self._pixels = machine.empty(4 * images * int(np.prod(network.input_shape)))
        self._launches = self._load()
        for node in network.nodes:
            if not (isinstance(node, Flatten) and node.output in aliases):
                self._launches += self._launches_of(node, weights)

    def load(self, x: Floats) -> None:
        """Copy images to the device."""
        if x.shape != (self.images, *self.network.input_shape):
            raise DataError(f"expected images {(self.images, *self.network.input_shape)}, got {x.shape}")
        self._machine.write(self._pixels, np.ascontiguousarray(x, np.float32))

    def work(self) -> None:
        """Start every launch, in order: from the images on the device to the logits there."""
        for launch in self._launches:
            launch.run()

    def logits(self) -> Floats:
        """Return float32 logits (n, classes), all work done."""
        layout = self._layouts[self.network.output]
        buffer = self._buffers[self.network.output]
        whole = self._machine.download(buffer, np.float32, layout.size_bytes // 4)
        return cast(Floats, whole.reshape(self.images, -1)[:, : layout.channels])

    def run(self, x: Floats) -> Floats:
        """Return logits of images."""
        self.load(x)
        self.work()
        return self.logits()

    def _empty(self, tensor: str) -> Buffer:
        layout = self._layouts[tensor]
        return self._machine.empty(layout.size_bytes, fill=0 if layout.item_bytes == 4 else int(self._fills[tensor]))

    def _load(self) -> list[Launch]:
        name = self.network.input
        box, layout = self._boxes[name], self._layouts[name]
        numbers = (box.inverse_scale, box.round_offset, float(box.high))
        return [steps.quantize(self._machine, self._pixels, self._buffers[name], layout, numbers, floor=box.floor)]

    def _launches_of(self, node: Node, weights: Mapping[str, QTensor]) -> list[Launch]:
        match node:
            case Conv() | Linear():
                if node.name not in weights:
                    raise MachineError(f"layer '{node.name}' keeps float32 weights: no kernel on the device")
                return self._layer(node, weights[node.name])
            case Add():
                return [self._add(node)]
            case Activation():
                return [self._clamp(node)]
            case Pool(kind="max" | "global_average"):
                return [self._pool(node)]
        raise MachineError(f"node '{node.name}' ({type(node).__name__}) has no kernel on the device")

    def _layer(self, node: Conv | Linear, quantized: QTensor) -> list[Launch]:
        residual = node.residual if isinstance(node, Conv) else None
        ends = Ends(self._boxes[node.input], self._boxes.get(node.output), self._boxes[residual] if residual else None)
        lowered = lower(node, quantized, ends)
        codes, product = lowered.levels, lowered.device_product
        lhs, source, launches = self._layouts[node.input], self._buffers[node.input], []
        if product in ("b1_b1", "t2_t2"):
            words = -(-lhs.channels // 32) * (2 if product == "t2_t2" else 1)
            packed = replace(lhs, words=words, item_bytes=4)
            bits = self._machine.empty(packed.size_bytes)
            launches.append(steps.pack(self._machine, source, bits, lhs, ternary=product == "t2_t2"))
            lhs, source = packed, bits
        epilogue = Epilogue("u8" if ends.out else "f32", lowered.words)
        beside = self._layouts[residual] if residual else None
        task = Task(product, epilogue, window_of(node), lhs, self._layouts[node.output], beside)
        params = lowered.device_params
        geometry = Geometry.of(product, task.window, lhs, task.out, len(codes))
        choice = self._pick(task, codes, params, Job(product, epilogue, geometry, params.group_size))
        bound = DeviceProduct(self._machine, task, codes, params, choice)
        self.kernels[node.name] = bound.name
        self.resident_bytes += bound.resident_bytes
        extra = self._buffers[residual] if residual else None
        return [*launches, *bound.attach(source, self._buffers[node.output], extra)]

    def _add(self, node: Add) -> Launch:
        lowered = lower_add(node, self._boxes)
        numbers = (*lowered.scales, lowered.offset, lowered.low, lowered.high)
        tensors = (*node.inputs, node.output)
        buffers = tuple(self._buffers[tensor] for tensor in tensors)
        layouts = tuple(self._layouts[tensor] for tensor in tensors)
        return steps.add(self._machine, cast(Any, buffers), cast(Any, layouts), numbers, floor=lowered.floor)

    def _clamp(self, node: Activation) -> Launch:
        return steps.table(self._machine, *self._pair(node.input, node.output), lower_clamp(node, self._boxes))

    def _pool(self, node: Pool) -> Launch:
        lowered = lower_pool(node, self._boxes)
        buffers, layouts = self._pair(node.input, node.output)
        if node.kind == "global_average":
            pixels = layouts[0].height * layouts[0].width
            numbers = (lowered.mean_of(pixels), lowered.offset, lowered.high)
            return steps.global_average(self._machine, buffers, layouts, numbers, floor=lowered.floor)
        window = (node.kernel, node.strides, node.pads[:2])
        limits = (lowered.ratio, lowered.offset, 0.0, lowered.high)
        return steps.max_pool(self._machine, buffers, layouts, cast(Any, window), limits, floor=lowered.floor)

    def _pair(self, first: str, second: str) -> tuple[tuple[Buffer, Buffer], tuple[Layout, Layout]]:
        return (self._buffers[first], self._buffers[second]), (self._layouts[first], self._layouts[second])
