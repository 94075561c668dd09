"""A GPU as a machine, through the CUDA driver's C interface: memory, kernels, one stream, events, graphs.

The driver alone is needed at run time (`libcuda.so.1`); the primary context is shared with other libraries of the
process, so that a peer's buffers and ours live in one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from qbench.errors import MachineError
from qbench.kernels.cuda.language.compile import ptx
from qbench.kernels.cuda.language.dialect import types
from qbench.kernels.cuda.machines.machine import Array, Buffer, Kernel, Launch

_LIBRARY = "libcuda.so.1"
_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_STATIC_SHARED = 48 * 1024
_CAPTURE_RELAXED = 2
ATTRIBUTES = {
    "multiprocessors": 16, "clock_khz": 13, "l2_bytes": 38, "major": 75, "minor": 76, "memory_clock_khz": 36,
    "bus_bits": 37,
}  # fmt: skip
_SCALARS = {types.int32: ctypes.c_int32, types.float32: ctypes.c_float}


@cache
def _library() -> Any:
    """Return the driver's library, initialized.

    Raises:
        MachineError: there is no driver or no device.
    """
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise MachineError(f"no CUDA driver here: {_LIBRARY} cannot be loaded") from error
    code = library.cuInit(0)
    count = ctypes.c_int()
    if code == 0:
        code = library.cuDeviceGetCount(ctypes.byref(count))
    if code != 0 or count.value == 0:
        raise MachineError(f"no CUDA device here: the driver reports code {code} and {count.value} devices")
    return library


def unavailable() -> str | None:
    """Return why no device can be used here, or None."""
    try:
        _library()
    except MachineError as error:
        return str(error)
    return None


def _call(name: str, *arguments: Any) -> None:
    """Call a function of the driver; raise MachineError with its own words when it fails."""
    code = getattr(_library(), name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        _library().cuGetErrorString(code, ctypes.byref(text))
        raise MachineError(f"CUDA driver: {name} failed with code {code} ({(text.value or b'unknown').decode()})")


class Device:
    """The first GPU; see `machine.Machine`. All work goes to one stream, in order.

    Attributes:
        name: the vendor's name of it.
        capability: compute capability times ten.
        stream: address of the stream.
    """

    def __init__(self) -> None:
        device, context = ctypes.c_int(), ctypes.c_void_p()
        _call("cuDeviceGet", ctypes.byref(device), 0)
        self._device = device
        _call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        _call("cuCtxSetCurrent", context)
        name = ctypes.create_string_buffer(256)
        _call("cuDeviceGetName", name, 256, device)
        self.name = name.value.decode()
        self.capability = 10 * self.attribute("major") + self.attribute("minor")
        stream = ctypes.c_void_p()
        _call("cuStreamCreate", ctypes.byref(stream), 1)  # CU_STREAM_NON_BLOCKING
        self.stream = int(stream.value or 0)
        self._functions: dict[Kernel, ctypes.c_void_p] = {}

    def attribute(self, name: str) -> int:
        """Return a key of `ATTRIBUTES`."""
        value = ctypes.c_int()
        _call("cuDeviceGetAttribute", ctypes.byref(value), ATTRIBUTES[name], self._device)
        return value.value

    def allocate(self, size_bytes: int) -> Buffer:
        """Return a buffer with unknown bytes; it is freed when nothing refers to it."""
        address = ctypes.c_uint64()
        _call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size_bytes, 1)))
        return Buffer(_Memory(address.value), size_bytes)

    def upload(self, array: Array) -> Buffer:
        """Return a buffer with a copy of the array's bytes."""
        buffer = self.allocate(array.nbytes)
        self.write(buffer, array)
        return buffer

    def write(self, buffer: Buffer, array: Array) -> None:
        """Replace a buffer's first bytes; returns when they are there."""
        data = np.ascontiguousarray(array)
        assert data.nbytes <= buffer.size_bytes
        self.synchronize()
        pointer = data.ctypes.data_as(ctypes.c_void_p)
        _call("cuMemcpyHtoD_v2", ctypes.c_uint64(buffer.handle.address), pointer, ctypes.c_size_t(data.nbytes))

    def empty(self, size_bytes: int, *, fill: int = 0) -> Buffer:
        """Return a buffer whose bytes are `fill`."""
        buffer = self.allocate(size_bytes)
        self.fill(buffer, fill)
        return buffer

    def fill(self, buffer: Buffer, value: int) -> None:
        """Set all bytes of a buffer, in the stream's order."""
        size = ctypes.c_size_t(max(buffer.size_bytes, 1))
        stream = ctypes.c_void_p(self.stream)
        _call("cuMemsetD8Async", ctypes.c_uint64(buffer.handle.address), ctypes.c_ubyte(value), size, stream)

    def download(self, buffer: Buffer, dtype: Any, count: int) -> Array:
        """Return the first `count` numbers of a buffer, all work done."""
        self.synchronize()
        found = np.empty(count, dtype)
        pointer = found.ctypes.data_as(ctypes.c_void_p)
        _call("cuMemcpyDtoH_v2", pointer, ctypes.c_uint64(buffer.handle.address), ctypes.c_size_t(found.nbytes))
        return found

    def duplicate(self, buffer: Buffer) -> Buffer:
        """Return another buffer with the same bytes, copied in the stream's order."""
        found = self.allocate(buffer.size_bytes)
        to, source = (ctypes.c_uint64(one.handle.address) for one in (found, buffer))
        _call("cuMemcpyDtoDAsync_v2", to, source, ctypes.c_size_t(buffer.size_bytes), ctypes.c_void_p(self.stream))
        return found

    def synchronize(self) -> None:
        """Wait until the stream is idle; raise MachineError when a kernel failed."""
        _call("cuStreamSynchronize", ctypes.c_void_p(self.stream))

    def launch(self, kernel: Kernel, grid: int, arguments: Sequence[Any]) -> Launch:
        """Return a prepared launch; the arguments are packed once."""
        function = self._function(kernel)
        flat = [v for kind, value in zip(kernel.signature.args, arguments, strict=True) for v in _flat(kind, value)]
        pointers = (ctypes.c_void_p * len(flat))(*[ctypes.addressof(v) for v in flat])
        block, shared, stream = kernel.threads, kernel.shared_bytes, ctypes.c_void_p(self.stream)
        start, keep = _library().cuLaunchKernel, (flat, arguments)

        def run() -> None:
            code = start(function, grid, 1, 1, block, 1, 1, shared, stream, pointers, None)
            if code:
                raise MachineError(f"kernel {kernel.name}: launch failed with code {code}; {len(keep[0])} arguments")

        return Launch(kernel, grid, run)

    def _function(self, kernel: Kernel) -> ctypes.c_void_p:
        if kernel not in self._functions:
            compiled = ptx(kernel, self.capability)
            module, function = ctypes.c_void_p(), ctypes.c_void_p()
            _call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(compiled.text.encode()))
            _call("cuModuleGetFunction", ctypes.byref(function), module, compiled.entry.encode())
            if kernel.shared_bytes > _STATIC_SHARED:
                _call("cuFuncSetAttribute", function, _MAX_DYNAMIC_SHARED, kernel.shared_bytes)
            self._functions[kernel] = function
        return self._functions[kernel]

    def facts(self, kernel: Kernel) -> dict[str, int]:
        """Return what the driver's compiler made of a loaded kernel: registers per thread, bytes of local memory."""
        found = {}
        for name, attribute in {"registers": 4, "local_bytes": 3, "shared_bytes": 1}.items():
            value = ctypes.c_int()
            _call("cuFuncGetAttribute", ctypes.byref(value), attribute, self._function(kernel))
            found[name] = value.value
        return found

    def graph(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return a call that replays the launches of `work` as one graph; `work` has run before and copies nothing."""
        stream = ctypes.c_void_p(self.stream)
        _call("cuStreamBeginCapture_v2", stream, _CAPTURE_RELAXED)
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        try:
            work()
        finally:
            _call("cuStreamEndCapture", stream, ctypes.byref(graph))
        _call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_uint64(0))
        return lambda: _call("cuGraphLaunch", executable, stream)

    def event(self) -> ctypes.c_void_p:
        """Return a new event."""
        event = ctypes.c_void_p()
        _call("cuEventCreate", ctypes.byref(event), 0)
        return event

    def record(self, event: ctypes.c_void_p) -> None:
        """Mark this place in the stream."""
        _call("cuEventRecord", event, ctypes.c_void_p(self.stream))

    def elapsed_s(self, start: ctypes.c_void_p, end: ctypes.c_void_p) -> float:
        """Return the device's seconds between two recorded events, once the second has passed."""
        milliseconds = ctypes.c_float()
        _call("cuEventSynchronize", end)
        _call("cuEventElapsedTime", ctypes.byref(milliseconds), start, end)
        return milliseconds.value * 1e-3


class _Memory:
    """Device memory, freed with the last reference."""

    def __init__(self, address: int) -> None:
        self.address = address

    def __del__(self) -> None:
        _library().cuMemFree_v2(ctypes.c_uint64(self.address))


def _flat(kind: Any, value: Any) -> list[Any]:
    """Return an argument as C numbers: tuples part by part, buffers as addresses."""
    if isinstance(kind, types.BaseTuple):
        return [v for part, item in zip(kind, value, strict=True) for v in _flat(part, item)]
    if isinstance(kind, types.CPointer):
        return [ctypes.c_uint64(value.handle.address)]
    return [_SCALARS[kind](value)]
