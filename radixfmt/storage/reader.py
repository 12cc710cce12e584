"""Reading a network: headers at once, layers and column ranges when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.encodings import Vector, pattern_encoding, value_encoding
from radixfmt.encodings.explicit import RowPattern
from radixfmt.encodings.rows import Reordered
from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import locate
from radixfmt.generators import from_record
from radixfmt.limits import DEFAULTS, Limits
from radixfmt.model.columns import ArrayColumns
from radixfmt.model.dtypes import LARGEST_RANK, dtype_of
from radixfmt.model.entries import most_bytes
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network
from radixfmt.model.pattern import Pattern
from radixfmt.storage.file import File
from radixfmt.storage.library_array import REPAIRABLE
from radixfmt.storage.manifest import PATH
from radixfmt.storage.verify import verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from radixfmt.encodings import StoredArray
    from radixfmt.storage.chunks import GuardedArray
    from radixfmt.storage.header import LayerHeader
    from radixfmt.storage.library_array import LibraryArray


class Extensions(Mapping[str, "NDArray[Any] | str"]):
    """What /ext holds, read when it is first asked for: whoever needs none of it reads none."""

    def __init__(self, read: Callable[[], dict[str, NDArray[Any] | str]]) -> None:
        self._read = read

    @cached_property
    def _found(self) -> dict[str, NDArray[Any] | str]:
        return self._read()

    def __getitem__(self, path: str) -> NDArray[Any] | str:
        return self._found[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class Reader(File):
    """An open file whose layers, tensors and network can be asked for; arguments as `File`."""

    def layer(self, i: int, header: LayerHeader | None = None) -> Layer:
        """Return layer `i`; its edges and weights are read when they are asked for."""
        known = header or self.header(i)
        path = f"/layers/{i:06d}"
        try:
            return self._layer(path, known)
        except FormatError as error:
            raise locate(error, path=path, file=self.guard.file) from None
        except (ParameterError, LookupError) as error:
            raise self.guard.refuse("RX3002", str(error), path) from None

    def tensor(self, i: int) -> NDArray[Any]:
        """Return dense tensor `i`, of the type and shape that the manifest declares.

        Raises:
            FormatError: RX3005, RX3006, or as reading any dataset.
        """
        path, declared = f"/tensors/{i:06d}", self.manifest.tensors[i]
        array = self._array(path, largest_rank=LARGEST_RANK)
        stored = "uint8" if declared.dtype == "bool" else declared.dtype
        for code, what, expected, actual in (
            ("RX3006", "stored type", stored, array.dtype.name),
            ("RX3005", "stored shape", str(declared.shape), str(array.shape)),
        ):
            if expected != actual:
                raise self.guard.refuse(
                    code, f"{what} is not the declared one", path, expected=expected, actual=actual
                )
        values = array.read()
        if declared.dtype == "bool" and (values > 1).any():
            raise self.guard.refuse(
                "RX5004",
                "a bool that is neither",
                path,
                expected="0 or 1",
                actual=str(values.max()),
            )
        return values.astype(dtype_of(declared.dtype), copy=False)

    def ext(self) -> dict[str, NDArray[Any] | str]:
        """Return what /ext holds, arrays and texts by path.

        Raises:
            FormatError: RX1020 more than is read whole, or as reading any dataset.
        """
        found: dict[str, NDArray[Any] | str] = {}
        total = 0
        waiting = ["/ext"] if self.guard.exists("/ext") else []
        while waiting:
            group = waiting.pop()
            for name in self.guard.names(group):
                path = f"{group}/{name}"
                if self.guard.kind(path) == "group":
                    waiting.append(path)
                elif self.guard.is_text(path):
                    found[path[5:]] = self._text(path)
                else:
                    array = self._array(path, largest_rank=LARGEST_RANK)
                    total += prod(array.shape) * array.dtype.itemsize
                    self._check_whole(total, path)
                    found[path[5:]] = array.read()
        return dict(sorted(found.items()))

    def _check_whole(self, declared: int, path: str) -> None:
        """Check that arrays which are read whole stay in proportion to the file."""
        most = most_bytes(self.guard.size)
        if declared > most:
            raise self.guard.refuse(
                "RX1020",
                "arrays that are read whole declare more than such a file may",
                path,
                expected=f"at most {most} bytes",
                actual=str(declared),
            )

    def _array(self, path: str, *, largest_rank: int = 1) -> GuardedArray | LibraryArray:
        try:
            return self.guard.array(path, largest_rank=largest_rank)
        except FormatError as error:
            if not (self.guard.trusted and error.code in REPAIRABLE):
                raise
            return self.guard.unprofiled(path)

    def _text(self, path: str) -> str:
        data = self.guard.text(path)
        if b"\0" in data:
            raise self.guard.refuse("RX2002", f"a NUL at byte {data.index(0)}", path)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.guard.refuse("RX2002", f"not UTF-8 at byte {error.start}", path) from None

    def network(self) -> Network:
        """Return the network, its layers lazy; it closes this file.

        Raises:
            FormatError: a broken layer header, or a graph that does not hold together.
        """
        headers = [self.header(i) for i in range(self.count())]
        layers = LazyLayers(
            [(header.kind, header.shape) for header in headers],
            lambda i: self.layer(i, headers[i]),
            {i: header.geometry for i, header in enumerate(headers) if header.geometry},
        )
        manifest = self.manifest
        self._check_whole(
            sum(prod(t.shape) * dtype_of(t.dtype).itemsize for t in manifest.tensors), "/tensors"
        )
        tensors = {tensor.name: self.tensor(i) for i, tensor in enumerate(manifest.tensors)}
        try:
            return Network(
                layers,
                manifest.graph,
                manifest.inputs,
                manifest.outputs,
                tensors,
                manifest.metadata,
                Extensions(self.ext),
                self.guard.close,
            )
        except FormatError as error:
            raise locate(error, path=PATH, file=self.guard.file) from None

    def _layer(self, path: str, header: LayerHeader) -> Layer:
        edges = pattern_encoding[header.pattern["encoding"]]
        weights = value_encoding[header.values["encoding"]]
        names = edges.arrays_of(header.pattern)
        arrays: dict[str, StoredArray] = {name: self._array(f"{path}/{name}") for name in names}
        pattern = edges.decode(header.shape, header.nnz, arrays, header.pattern)
        vectors: dict[str, Any] = {
            name: self._vector(f"{path}/{name}", wanted)
            for name, wanted in weights.arrays(header).items()
        }
        if isinstance(pattern, RowPattern) and vectors["values"].shape == (header.nnz,):
            vectors["values"] = Reordered(vectors["values"], pattern.rows)
        bias = None
        if header.bias is not None:
            wanted = Vector(header.bias["dtype"], (header.bias["length"],), "RX3012")
            bias = self._vector(f"{path}/bias", wanted)[:]
        return Layer(
            header.name,
            pattern,
            weights.decode(vectors),
            bias,
            kind=header.kind,
            geometry=header.geometry,
        )

    def _vector(self, path: str, wanted: Vector) -> StoredArray:
        array = self._array(path)
        if array.dtype.name != wanted.dtype:
            raise self.guard.refuse(
                "RX3006",
                "stored type is not the declared one",
                path,
                expected=wanted.dtype,
                actual=array.dtype.name,
            )
        if array.shape not in {(length,) for length in wanted.lengths}:
            raise self.guard.refuse(
                wanted.code,
                "wrong length",
                path,
                expected=" or ".join(map(str, wanted.lengths)),
                actual=str(array.shape),
            )
        return array


def open(  # noqa: A001  the public name is rx.open
    path: str | os.PathLike[str],
    *,
    trusted: bool = False,
    drafts: bool = False,
    verify: bool = False,
    limits: Limits = DEFAULTS,
) -> Network:
    """Open a file and return its network; use it in a `with` block or call its `close()`.

    Headers are read at once; edges and weights are read, and checked, when they are asked for.

    Args:
        path: the file.
        trusted: also open files with an old HDF5 superblock or variable-length strings (what
            plain h5py, MATLAB and Julia write), on which the HDF5 library can crash; only for
            files you made yourself. `radixfmt convert` rewrites others in a process of its own.
        drafts: also read drafts of the format, which promised nothing.
        verify: hold the graph and each layer, when it is asked for, against the digests that the
            file declares; costs a pass over the layer.
        limits: of what the file may use; `memory`, `cpu` and `wall` bind `validate` alone.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: the file breaks the specification; the message names the place.
    """
    file = Reader(path, trusted=trusted, drafts=drafts, limits=limits)
    try:
        return verified(file, file.network()) if verify else file.network()
    except BaseException:
        file.guard.close()
        raise


def read(path: str | os.PathLike[str], *, trusted: bool = False, verify: bool = False) -> Network:
    """Read a whole file into memory; arguments and errors as `open`."""
    with open(path, trusted=trusted, verify=verify) as network:
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # one decodes while another checks
            layers = tuple(pool.map(loaded, network.layers))
        return replace(network, layers=layers, ext=dict(network.ext), closer=None)


def loaded(layer: Layer) -> Layer:
    """Return the layer with its arrays in memory."""
    pattern = layer.pattern
    if pattern.record is None:
        pattern = Pattern(ArrayColumns(pattern.shape, pattern.indptr, pattern.indices))
    elif pattern.arrays:
        pattern = from_record(pattern.record, pattern.arrays)
    weights: Any = layer.weights
    if layer.quantized is not None:
        codes = np.asarray(layer.quantized.codes[:])
        weights = replace(layer.quantized, codes=codes)
    return layer.replace(pattern=pattern, weights=weights)
