"""The driver's C interface as the device uses it, against a driver made of Python: memory, arguments, errors."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from qbench.errors import MachineError

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed (the extra 'cuda')")

from qbench.kernels.cuda.language.arguments import SIGNATURE, Sizes
from qbench.kernels.cuda.language.shapes import TileShape
from qbench.kernels.cuda.language.shared import SHARED_MARGIN
from qbench.kernels.cuda.machines import driver
from qbench.kernels.cuda.machines.machine import Kernel
from qbench.kernels.cuda.multiply.tile_kernel import tile_kernel

ATTRIBUTES = {16: 132, 38: 50 * 2**20, 75: 9, 76: 0}


class FakeDriver:
    """What the device calls of libcuda, with host memory behind addresses and a log of the rest."""

    def __init__(self) -> None:
        self.memory: dict[int, Any] = {}
        self.freed: list[int] = []
        self.launches: list[tuple[Any, ...]] = []
        self.log: list[str] = []
        self.failing = ""

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> int:
            self.log.append(name)
            return 700 if name == self.failing else 0

        return call

    def cuDeviceGetName(self, text: Any, size: int, device: Any) -> int:  # noqa: N802
        text.value = b"a device"
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
        value._obj.value = ATTRIBUTES[attribute]
        return 0

    def cuStreamCreate(self, stream: Any, flags: int) -> int:  # noqa: N802
        stream._obj.value = 77
        return 0

    def cuMemAlloc_v2(self, address: Any, size: Any) -> int:  # noqa: N802
        buffer = (ctypes.c_ubyte * size.value)()
        address._obj.value = ctypes.addressof(buffer)
        self.memory[address._obj.value] = buffer
        return 0

    def cuMemFree_v2(self, address: Any) -> int:  # noqa: N802
        self.freed.append(address.value)
        return 0

    def cuMemcpyHtoD_v2(self, target: Any, source: Any, size: Any) -> int:  # noqa: N802
        ctypes.memmove(target.value, source, size.value)
        return 0

    def cuMemcpyDtoH_v2(self, target: Any, source: Any, size: Any) -> int:  # noqa: N802
        ctypes.memmove(target, source.value, size.value)
        return 0

    def cuMemsetD8Async(self, address: Any, value: Any, size: Any, stream: Any) -> int:  # noqa: N802
        ctypes.memset(address.value, value.value, size.value)
        return 0

    def cuLaunchKernel(self, *arguments: Any) -> int:  # noqa: N802
        self.launches.append(arguments)
        return 700 if self.failing == "cuLaunchKernel" else 0

    def cuGetErrorString(self, code: int, text: Any) -> int:  # noqa: N802
        text._obj.value = b"an illegal address"
        return 0


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    found = FakeDriver()
    monkeypatch.setattr(driver, "_library", lambda: found)
    return found


def read(pointers: Any, index: int, kind: Any) -> Any:
    return ctypes.cast(pointers[index], ctypes.POINTER(kind)).contents.value


def kernel() -> Kernel:
    return tile_kernel("u8_s8", "s32", TileShape(2, 2, 4, 8, 64, 4))


def test_bytes_come_back_as_they_went(fake: FakeDriver) -> None:
    device = driver.Device()
    numbers = np.arange(12, dtype=np.int32).reshape(3, 4)[:, ::2]
    assert np.array_equal(device.download(device.upload(numbers), np.int32, 6), numbers.reshape(-1))
    assert np.array_equal(device.download(device.empty(5, fill=0xAB), np.uint8, 5), np.full(5, 0xAB))
    assert (device.name, device.capability, device.stream) == ("a device", 90, 77)


def test_memory_is_freed_with_its_buffer(fake: FakeDriver) -> None:
    buffer = driver.Device().empty(8)
    address = buffer.handle.address
    del buffer
    assert fake.freed == [address]


def test_arguments_are_packed_in_the_order_of_the_kernel(fake: FakeDriver) -> None:
    device = driver.Device()
    buffers = [device.empty(4) for _ in range(13)]
    launch = device.launch(kernel(), 5, (buffers, (1.5, -2.5, 0.25), Sizes(7, 128, 96, 3, -37).values()))
    launch.run()
    (_, grid, _, _, threads, _, _, shared, stream, pointers, extra) = fake.launches[0]
    assert (grid, threads, stream.value, extra) == (5, 128, 77, None)
    assert shared == kernel().shared_bytes
    assert shared > SHARED_MARGIN
    assert [read(pointers, i, ctypes.c_uint64) for i in range(13)] == [b.handle.address for b in buffers]
    assert [read(pointers, 13 + i, ctypes.c_float) for i in range(3)] == [1.5, -2.5, 0.25]
    assert [read(pointers, 16 + i, ctypes.c_int32) for i in range(5)] == [7, 128, 96, 3, -37]
    assert len(pointers) == 21


def test_large_shared_memory_is_asked_for(fake: FakeDriver) -> None:
    device = driver.Device()
    device.launch(kernel(), 1, ([device.empty(4)] * 13, (0.0, 0.0, 0.0), (0, 0, 0, 0, 0)))
    assert kernel().shared_bytes > 48 * 1024
    assert fake.log.count("cuFuncSetAttribute") == 1
    assert fake.log.count("cuModuleLoadData") == 1


def test_a_failing_call_names_itself_in_the_drivers_words(fake: FakeDriver) -> None:
    device = driver.Device()
    fake.failing = "cuStreamSynchronize"
    with pytest.raises(
        MachineError, match=r"^CUDA driver: cuStreamSynchronize failed with code 700 \(an illegal address"
    ):
        device.synchronize()


def test_a_failing_launch_names_its_kernel(fake: FakeDriver) -> None:
    device = driver.Device()
    launch = device.launch(kernel(), 1, ([device.empty(4)] * 13, (0.0, 0.0, 0.0), (0, 0, 0, 0, 0)))
    fake.failing = "cuLaunchKernel"
    with pytest.raises(MachineError, match=r"^kernel tile_u8_s8_128x128x64s4: launch failed with code 700"):
        launch.run()


def test_a_graph_holds_what_was_launched_while_it_was_captured(fake: FakeDriver) -> None:
    device = driver.Device()
    seen: list[str] = []
    replay = device.graph(lambda: seen.append(fake.log[-1]))
    replay()
    assert seen == ["cuStreamBeginCapture_v2"]
    assert fake.log[-3:] == ["cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphLaunch"]


def test_the_signature_holds_what_the_driver_can_pass() -> None:
    assert [len(part) for part in SIGNATURE.args] == [13, 3, 5]
