"""`npz`: one layer as `scipy.sparse.save_npz` keeps it; entry (i, j) is the edge from i to j.

`scipy.sparse.load_npz` trusts the indices in a file and crashes on bad ones. Here the arrays are
read without it, none of them a pickle, and checked before anything is computed from them.
"""

from __future__ import annotations

import math
import zipfile
from contextlib import closing
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters import converter, only_layer
from radixfmt.errors import InputError, PathError
from radixfmt.files import replacing
from radixfmt.model.entries import (
    most_bytes,
    most_entries,
    owners,
    pattern_of,
    positions,
    weights_of,
    widened,
)
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.network import Network, chain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from radixfmt.model.digest import NetworkDigests

    Shape = tuple[int, int]
    Entries = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

LARGEST_RANK = 3
"""Blocks of BSR have three axes."""

LARGEST_EMPTY = 1 << 20
"""Size of an axis of an array without elements, such as no blocks of 2 by 2."""

LARGEST_HEADER = 10_000
"""Bytes of the text in front of an array; numpy reads no more either."""


class Npz:
    """Reads all formats of `save_npz`; writes CSC.

    Entries that are all true are a topology. Cells of BSR blocks are edges, zeros of DIA are not.
    """

    suffixes = (".npz",)
    read_options = ()
    options = ("small",)

    def read(self, path: Path) -> tuple[Network, list[str]]:
        """Return the layer as a network of one.

        Raises:
            InputError: not what `save_npz` writes, or a matrix that cannot be a layer.
            FormatError: RX4001 to RX4003, pointers that cannot be.
        """
        with closing(_Archive(path)) as archive:
            return self._read(path, archive)

    def _read(self, path: Path, archive: _Archive) -> tuple[Network, list[str]]:
        kind = archive.array("format")
        name = kind.tobytes().replace(b"\0", b"").decode("ascii", "replace")
        if kind.dtype.kind not in "SU" or name not in FORMATS:
            raise InputError(f"{path}: expected format {', '.join(FORMATS)}; got {name[:40]!r}")
        sizes = archive.array("shape")
        if sizes.dtype.kind not in "iu" or sizes.shape != (2,):
            raise InputError(f"{path}: expected a matrix of two sizes, got {sizes.shape}")
        shape = int(sizes[0]), int(sizes[1])
        rows, columns, values = FORMATS[name](archive, shape)
        if values.shape != rows.shape:
            raise InputError(f"{path}: expected {rows.size} values, got {values.shape}")
        pattern, order = pattern_of(shape, rows, columns, file=str(path))
        weights, notes = weights_of(values, file=str(path))
        if weights is not None and order is not None:
            weights = weights[order]
        layer = Layer("layer0", pattern, weights)
        return chain([layer], metadata=Metadata(name=path.name)), notes

    def write(
        self, path: Path, network: Network, *, overwrite: bool, options: dict[str, Any]
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write the one layer of `network`; `options` may hold `small`, to compress.

        Raises:
            UnsupportedError: several layers, or a conv layer.
        """
        import scipy.sparse as sp

        layer = only_layer(network, "npz")
        layer, losses = widened(layer)
        losses = ["names and metadata", "the graph: activations", *losses]
        weights: Any = layer.weights
        matrix = layer.pattern.to_scipy(np.ones(1, np.bool_) if weights is None else weights)
        with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
            sp.save_npz(stream, matrix, compressed=options.get("small", False))
        return losses + (["biases"] if layer.bias is not None else []), None


class _Archive:
    """The arrays of an .npz file, their declared sizes checked before they are read.

    Raises:
        InputError: no zip archive, or one that declares more than it can hold.
        PathError: the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self.file = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
            size = path.stat().st_size
        except OSError as error:
            raise PathError(f"{path}: {error.strerror or error}") from None
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise self.wrong(f"is no zip archive: {error}") from None
        members = self._zip.infolist()
        most, self._most_entries = most_bytes(size), most_entries(size)
        self._names = [member.filename for member in members]
        declared = sum(member.file_size for member in members)
        if declared > most:
            self.close()
            raise self.wrong(f"declares {declared} bytes; at most {most} are read from it")

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def wrong(self, problem: str) -> InputError:
        """Return the error for an archive that is not read."""
        return InputError(
            f"{self.file}: expected what scipy.sparse.save_npz writes; {problem}"[:500]
        )

    def has(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return f"{name}.npy" in self._names

    def array(self, name: str) -> NDArray[Any]:
        """Return an array.

        Raises:
            InputError: absent, Python objects, or not the bytes that it declares.
        """
        if not self.has(name):
            held = ", ".join(self._names[:8])
            raise self.wrong(f"it has no array {name!r}, but {held or 'nothing'}")
        try:
            stream = BytesIO(self._zip.read(f"{name}.npy"))
            version = np.lib.format.read_magic(stream)
            read = HEADERS[version]
            shape, by_column, dtype = read(stream, max_header_size=LARGEST_HEADER)
        except Exception as error:  # noqa: BLE001  zlib, struct, tokenize … each have their own
            raise self.wrong(f"its array {name!r} is unreadable: {error}") from None
        if dtype.hasobject:
            raise self.wrong(f"its array {name!r} holds Python objects, which are never loaded")
        data = stream.getbuffer()[stream.tell() :]
        plain = dtype.kind in "biufcSU" and dtype.itemsize > 0 and len(shape) <= LARGEST_RANK
        sizes = all(0 <= size <= max(data.nbytes, LARGEST_EMPTY) for size in shape)
        if not (plain and sizes and data.nbytes == math.prod(shape) * dtype.itemsize):
            raise self.wrong(
                f"its array {name!r} of {dtype} and shape {shape} has {data.nbytes} bytes"
            )
        found = np.frombuffer(data, dtype)
        return found.reshape(shape, order="F" if by_column else "C")

    def values(self) -> NDArray[Any]:
        """Return the values of the entries, which are as many as the memory of a reader can hold.

        Raises:
            InputError: as `array`, or there are more.
        """
        found = self.array("data")
        if found.size > self._most_entries:
            raise self.wrong(
                f"it holds {found.size} entries; at most {self._most_entries} are read from it"
            )
        return found


HEADERS: dict[Any, Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _compressed(archive: _Archive, shape: Shape, *, by_column: bool) -> Entries:
    """Return rows, columns and values of CSR or CSC."""
    minor, values = archive.array("indices"), archive.values()
    if values.shape != minor.shape:  # or the values would not bound what is made below
        raise archive.wrong(f"values of shape {values.shape} for {minor.shape} indices")
    lines = shape[1] if by_column else shape[0]
    major = owners(archive.array("indptr"), lines, minor.size, file=archive.file)
    return (minor, major, values) if by_column else (major, minor, values)


def _csr(archive: _Archive, shape: Shape) -> Entries:
    return _compressed(archive, shape, by_column=False)


def _csc(archive: _Archive, shape: Shape) -> Entries:
    return _compressed(archive, shape, by_column=True)


def _coo(archive: _Archive, _: Shape) -> Entries:
    if archive.has("coords"):
        coords = archive.array("coords")
        if coords.ndim != 2 or len(coords) != 2:
            raise archive.wrong(f"its `coords` are of shape {coords.shape}")
        return coords[0], coords[1], archive.values()
    return archive.array("row"), archive.array("col"), archive.values()


def _bsr(archive: _Archive, shape: Shape) -> Entries:
    """Return all cells of all blocks."""
    values, indices = archive.values(), archive.array("indices")
    if values.ndim != 3 or 0 in values.shape[1:] or indices.shape != values.shape[:1]:
        raise archive.wrong(f"blocks of shape {values.shape} for {indices.shape} indices")
    height, width = values.shape[1:]
    lines = shape[0] // height
    if shape != (lines * height, shape[1] // width * width):
        raise archive.wrong(f"blocks of {height} by {width} in a matrix of {shape}")
    down = owners(archive.array("indptr"), lines, indices.size, file=archive.file)
    across = positions(indices, shape[1] // width, "column of blocks", file=archive.file)
    rows = down[:, None, None] * height + np.arange(height)[:, None]
    columns = across[:, None, None] * width + np.arange(width)
    full = np.broadcast_arrays(rows, columns, values)
    return full[0].ravel(), full[1].ravel(), full[2].ravel()


def _dia(archive: _Archive, shape: Shape) -> Entries:
    """Return what is not zero on the diagonals and inside the matrix."""
    values, offsets = archive.values(), archive.array("offsets")
    if values.ndim != 2 or offsets.shape != values.shape[:1] or offsets.dtype.kind not in "iu":
        raise archive.wrong(f"diagonals of shape {values.shape} for {offsets.shape} offsets")
    columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    # as floats: some integer types do not hold the bounds, which are beyond any matrix
    below = np.clip(offsets.astype(np.float64), -(2**40), 2**40).astype(np.int64)
    rows = columns - below[:, None]
    kept = (values != 0) & (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    return rows[kept], columns[kept], values[kept]


FORMATS: dict[str, Callable[[_Archive, Shape], Entries]] = {
    "csc": _csc,
    "csr": _csr,
    "coo": _coo,
    "bsr": _bsr,
    "dia": _dia,
}

converter("npz")(Npz())
