"""Read a PyTorch checkpoint of the legacy layout without PyTorch and without executing its code.

Such a file consists of five pickles (magic number, protocol version, system information, the state
dict, whose tensors refer to storages by persistent ids, and the list of storage keys), followed,
for each key, by the number of elements as int64 and the raw little-endian values.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from captioning.core.errors import InputError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGE_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass
class _Storage:
    """A flat array of values, as a persistent id describes it."""

    key: str
    dtype: str
    size: int


@dataclass
class _Tensor:
    """A view into a storage; offset and strides are counted in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Unpickler that accepts only ordered dicts, tensors and storages, and names anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a state dict")

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            raise pickle.UnpicklingError(f"unknown persistent id {pid!r}")
        return _Storage(key=str(pid[2]), dtype=pid[1], size=int(pid[4]))


def read_checkpoint(path: Path | str) -> dict[str, NDArray[Any]]:
    """Read the tensors of a state dict, float32 or int64, in PyTorch's axis order.

    Raises:
        InputError: the file is not a checkpoint of this layout, is truncated, or refers to a
            class that a state dict does not need.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} is not a complete PyTorch checkpoint of the legacy layout: {error}"
        ) from None


def _read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
        raise ValueError("wrong magic number or protocol")
    _Unpickler(file).load()
    tensors: dict[str, _Tensor] = _Unpickler(file).load()
    keys = [str(key) for key in _Unpickler(file).load()]
    declared = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in keys:
        storage = declared[key]
        if int.from_bytes(file.read(8), "little") != storage.size:
            raise ValueError(f"storage {key} differs in size from its declaration")
        nbytes = storage.size * np.dtype(storage.dtype).itemsize
        data = file.read(nbytes)
        if len(data) != nbytes:
            raise ValueError(f"storage {key} is truncated")
        storages[key] = np.frombuffer(data, storage.dtype)
    return {name: _view(tensor, storages) for name, tensor in tensors.items()}


def _view(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Copy the values of a tensor from its storage, following its strides."""
    storage = storages[tensor.storage.key]
    if min((*tensor.shape, 1)) < 1 or min((*tensor.strides, tensor.offset)) < 0:
        raise ValueError("a tensor's shape is impossible")
    last = tensor.offset + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if last >= len(storage):
        raise ValueError("a tensor extends beyond its storage")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
    return np.ascontiguousarray(view)
