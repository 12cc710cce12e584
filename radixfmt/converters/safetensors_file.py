"""A safetensors file as it lies on disk: bounded, and checked by safetensors' own library."""

from __future__ import annotations

import importlib.util
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.whole_file import read_whole
from radixfmt.errors import InputError, MissingDependencyError, UnsupportedError
from radixfmt.files import replacing
from radixfmt.model.dtypes import LARGEST_RANK, TENSOR_TYPES, dtype_of
from radixfmt.storage.foreign import looks_like

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    State = dict[str, NDArray[Any]]

LARGEST_FILE = 1 << 32
"""Bytes of a file that is read whole or written."""

LARGEST_SIDE = 1 << 40
"""Size of one axis of a tensor, whose other sizes may be 0."""

NAMES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""Element types that the format of this package holds, by safetensors' names."""


def read_state(path: Path) -> tuple[State, list[str]]:
    """Return the tensors of a file by name, and what is not kept of it.

    The library refuses headers that are not JSON or larger than 100 MB, and tensors that overlap,
    leave holes or are not as long as their shapes ask for.

    Raises:
        MissingDependencyError: safetensors is not installed.
        PathError: no regular file, or the system refuses.
        InputError: larger than `LARGEST_FILE`, or no safetensors file.
        UnsupportedError: an element type or a rank that the format does not hold.
    """
    _check_installed()
    import safetensors

    data = read_whole(
        path,
        "a safetensors file",
        LARGEST_FILE,
        hint="load it into its module and take that: rx.from_torch(module, example_inputs)",
    )
    try:
        tensors: Any = safetensors.deserialize(data)  # type: ignore[no-untyped-call]
    except Exception as error:  # noqa: BLE001  the library's own, and those of its parts
        kind = looks_like(data[:4096])
        seems = f"; it looks like {kind}" if kind and kind != "a safetensors file" else ""
        raise InputError(
            f"{path}: expected a safetensors file: {error}{seems}"[:500],
            hint="fetch it again if it was cut short",
        ) from None
    losses = ["the metadata of the file"] if b'"__metadata__"' in _header(data) else []
    return {name: _array(name, view, path) for name, view in tensors}, losses


def write_state(path: Path, state: Mapping[str, NDArray[Any]], *, overwrite: bool) -> None:
    """Write tensors of types of the format to a file, marked as PyTorch's as others do.

    Raises:
        MissingDependencyError: safetensors is not installed.
        TargetExistsError: as `radixfmt.files.replacing`.
        PathError: likewise.
    """
    _check_installed()
    from safetensors.numpy import save_file

    ready = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        for name, array in state.items()
    }
    with replacing(path, overwrite=overwrite) as temporary:
        save_file(ready, temporary, {"format": "pt"})


def _check_installed() -> None:
    if importlib.util.find_spec("safetensors") is None:
        raise MissingDependencyError(
            "safetensors: the package that reads and writes such files is not installed",
            hint="pip install safetensors",
        )


def _header(data: bytes) -> bytes:
    return data[8 : 8 + int.from_bytes(data[:8], "little")]


def _array(name: str, view: Mapping[str, Any], path: Path) -> NDArray[Any]:
    where = f"{path}: tensor {name!r:.120}"
    shape = tuple(view["shape"])
    if view["dtype"] not in NAMES or len(shape) > LARGEST_RANK:
        raise UnsupportedError(
            f"{where}: {view['dtype']} of rank {len(shape)}; the format holds "
            f"{', '.join(TENSOR_TYPES)} of rank at most {LARGEST_RANK}"
        )
    dtype, data = dtype_of(NAMES[view["dtype"]]), view["data"]
    if max(shape, default=0) > LARGEST_SIDE or prod(shape) * dtype.itemsize != len(data):
        raise InputError(f"{where}: expected {list(shape)} of {dtype}, got {len(data)} bytes")
    found: NDArray[Any] = np.frombuffer(
        data, np.uint8 if dtype == np.bool_ else dtype.newbyteorder("<")
    )
    return found.astype(dtype, copy=False).reshape(shape)
