"""Tensors come out of a legacy checkpoint whatever order they lie in; nothing else comes in."""

from __future__ import annotations

import collections
import io
import pickle
import struct
from typing import Any

import numpy as np
import pytest

from qbench.errors import ModelError
from qbench.zoo.networks.torch_file import read_torch_file

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Named:
    """Pickles as a reference to `module.name` that is called with `arguments`."""

    def __init__(self, reference: str, *arguments: object) -> None:
        self.reference, self.arguments = reference, arguments


class _Pickler(pickle._Pickler):  # type: ignore[misc, name-defined]  # the one in Python, whose parts can be called
    """Writes references to names that need not exist here, as torch's own files hold them."""

    def persistent_id(self, found: Any) -> Any:
        return found.arguments if isinstance(found, _Named) and found.reference == "storage" else None

    def save(self, found: Any, save_persistent_id: bool = True) -> None:
        if isinstance(found, _Named) and found.reference != "storage":
            module, _, name = found.reference.rpartition(".")
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
            if found.arguments:
                super().save(found.arguments)
                self.write(pickle.REDUCE)
            return
        super().save(found, save_persistent_id)


def dump(*objects: object) -> bytes:
    stream = io.BytesIO()
    for found in objects:
        _Pickler(stream, protocol=2).dump(found)
    return stream.getvalue()


def tensor(key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> _Named:
    storage = _Named("storage", "storage", _Named("torch.FloatStorage"), key, "cpu", 6, None)
    hooks: Any = collections.OrderedDict()
    return _Named("torch._utils._rebuild_tensor_v2", storage, offset, shape, strides, False, hooks)


def checkpoint(entries: dict[str, object], *, numbers: int = 6, magic: int = MAGIC) -> bytes:
    head = dump(magic, PROTOCOL, {"little_endian": True}, entries, ["7"])
    return head + struct.pack("<q", numbers) + np.arange(numbers, dtype="<f4").tobytes()


def test_a_tensor_is_read_in_the_order_of_its_strides() -> None:
    found = read_torch_file(checkpoint({"w": tensor("7", 0, (2, 3), (1, 2)), "b": tensor("7", 4, (2,), (1,))}))
    np.testing.assert_array_equal(found["w"], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(found["b"], [4, 5])


BAD: dict[str, bytes] = {
    "got a reference to os.system": checkpoint({"w": _Named("os.system", "true")}),
    "got a reference to builtins.eval": checkpoint({"w": _Named("builtins.eval", "1")}),
    "expected FloatStorage to be named only": checkpoint({"w": _Named("torch.FloatStorage", 3)}),
    "inside its 6 numbers": checkpoint({"w": tensor("7", 0, (2, 4), (4, 1))}),
    r"shape \(3,\) inside its 6": checkpoint({"w": tensor("7", 4, (3,), (1,))}),
    r"shape \(2,\) inside its 6": checkpoint({"w": tensor("7", -1, (2,), (1,))}),
    r"shape \(1000000000, 1000000000\)": checkpoint({"w": tensor("7", 0, (10**9, 10**9), (0, 0))}),
    "expected every entry to be a tensor": checkpoint({"w": [1, 2], "b": tensor("7", 0, (2,), (1,))}),
    "expected a checkpoint in the format of before PyTorch 1.6": checkpoint({}, magic=1),
    "expected a storage of 6 numbers": checkpoint({"w": tensor("7", 0, (2,), (1,))})[:-4],
    "damaged": checkpoint({"w": tensor("7", 0, (2,), (1,))})[:60],
    "damaged: ": b"",
}


@pytest.mark.parametrize("message", BAD)
def test_a_damaged_or_hostile_file_is_one_clear_line(message: str) -> None:
    with pytest.raises(ModelError, match=f"torch file: .*{message}" if message != "damaged: " else "damaged") as caught:
        read_torch_file(BAD[message])
    assert "\n" not in str(caught.value)
