"""Reading a file: the header at once, layers and column ranges when they are asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from radixfmt.encodings import pattern_encoding, value_encoding
from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import locate
from radixfmt.model.layer import Layer
from radixfmt.model.network import LazyLayers, Network
from radixfmt.storage.guard import LARGEST_RANK, Guard
from radixfmt.storage.header import LayerHeader
from radixfmt.storage.manifest import FORMAT_VERSION, PATH, Manifest

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from radixfmt.encodings import StoredArray


class File:
    """An open radixfmt file: what it says about itself, and access to its layers.

    Raises:
        PathError: missing or not readable.
        FormatError: not a radixfmt file, another version, or a broken header.
    """

    def __init__(self, path: str | os.PathLike[str], *, trusted: bool = False) -> None:
        self.guard = Guard(path, trusted=trusted)
        try:
            self.version = self._check_version()
            self.manifest = Manifest.from_json(
                self.guard.text(PATH), file=self.guard.file, version=self.version
            )
        except BaseException:
            self.guard.close()
            raise

    def digest(self, name: str) -> str | None:
        """Return root attribute `NAME_digest` ("topology", "content", "metadata")."""
        found = self.guard.attribute("/", f"{name}_digest")
        return None if found is None else found.decode("ascii", "replace")

    def count(self) -> int:
        """Return the number of layers.

        Raises:
            FormatError: RX3001, groups that are not numbered from 000000 without a gap.
        """
        names = self.guard.names("/layers")
        for i, name in enumerate(names):
            if name != f"{i:06d}":
                raise self.guard.refuse(
                    "RX3001",
                    "layers are not numbered from 000000 without a gap",
                    "/layers",
                    expected=f"{i:06d}",
                    actual=name[:40],
                )
        return len(names)

    def header(self, i: int) -> LayerHeader:
        """Return what is known of layer `i` without reading its arrays."""
        path = f"/layers/{i:06d}"
        data = self.guard.attribute(path, "layer")
        if data is None:
            raise self.guard.refuse("RX3002", "the attribute `layer` is missing", path)
        return LayerHeader.from_json(data, path=path, file=self.guard.file)

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
        """Return dense tensor `i`."""
        array = self.guard.array(f"/tensors/{i:06d}", largest_rank=LARGEST_RANK)
        return array.read()

    def network(self) -> Network:
        """Return the network, its layers lazy; it closes this file.

        Raises:
            FormatError: a broken layer header, or a graph that does not hold together.
        """
        headers = [self.header(i) for i in range(self.count())]
        layers = LazyLayers(
            [(header.kind, header.shape) for header in headers],
            lambda i: self.layer(i, headers[i]),
        )
        manifest = self.manifest
        tensors = {name: self.tensor(i) for i, name in enumerate(manifest.tensors)}
        try:
            return Network(
                layers,
                manifest.graph,
                manifest.inputs,
                manifest.outputs,
                tensors,
                manifest.metadata,
                self.guard.close,
            )
        except FormatError as error:
            raise locate(error, path=PATH, file=self.guard.file) from None

    def _layer(self, path: str, header: LayerHeader) -> Layer:
        edges = pattern_encoding[header.pattern["encoding"]]
        weights = value_encoding[header.values["encoding"]]
        arrays: dict[str, StoredArray] = {
            name: self.guard.array(f"{path}/{name}") for name in edges.arrays
        }
        pattern = edges.decode(header.shape, header.nnz, arrays, header.pattern)
        values = self._vector(f"{path}/values", header.values["dtype"], weights.length(header.nnz))
        bias = None
        if header.bias is not None:
            bias = self._vector(f"{path}/bias", header.bias["dtype"], header.bias["length"])[:]
        return Layer(
            header.name,
            pattern,
            weights.decode(values),
            bias,
            kind=header.kind,
            geometry=header.geometry,
        )

    def _vector(self, path: str, dtype: str, length: int) -> StoredArray:
        array = self.guard.array(path)
        if array.dtype.name != dtype:
            raise self.guard.refuse(
                "RX3006",
                "stored type is not the declared one",
                path,
                expected=dtype,
                actual=array.dtype.name,
            )
        if array.shape != (length,):
            raise self.guard.refuse(
                "RX3005", "wrong length", path, expected=str(length), actual=str(array.shape)
            )
        return array

    def _check_version(self) -> str:
        name = self.guard.attribute("/", "format")
        if name != b"radixfmt":
            raise self.guard.refuse(
                "RX0201", "an HDF5 file, but not a radixfmt file: no attribute format=radixfmt"
            )
        version = (self.guard.attribute("/", "format_version") or b"").decode("ascii", "replace")
        if not re.fullmatch(r"\d{1,4}\.\d{1,4}(-draft\.\d{1,4})?", version):
            raise self.guard.refuse(
                "RX0204",
                "malformed format_version",
                expected="MAJOR.MINOR[-draft.N]",
                actual=version[:40],
            )
        if version != FORMAT_VERSION:
            raise self.guard.refuse(
                "RX0202",
                "another version of the format",
                expected=FORMAT_VERSION,
                actual=version,
                hint="pip install -U radixfmt",
            )
        return version


def open(  # noqa: A001  the public name is rx.open
    path: str | os.PathLike[str], *, trusted: bool = False
) -> Network:
    """Open a file and return its network; use it in a `with` block or call its `close()`.

    Headers are read at once; edges and weights are read, and checked, when they are asked for.

    Args:
        path: the file.
        trusted: also open files with an old HDF5 superblock (what plain h5py, MATLAB and Julia
            write), on which the HDF5 library can crash; only for files you made yourself.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: the file breaks the specification; the message names the place.
    """
    file = File(path, trusted=trusted)
    try:
        return file.network()
    except BaseException:
        file.guard.close()
        raise


def read(path: str | os.PathLike[str], *, trusted: bool = False) -> Network:
    """Read a whole file into memory; arguments and errors as `open`."""
    with open(path, trusted=trusted) as network:
        layers = tuple(_loaded(layer) for layer in network.layers)
        return replace(network, layers=layers, closer=None)


def _loaded(layer: Layer) -> Layer:
    pattern = layer.pattern
    if pattern.record is None:
        pattern.indices  # noqa: B018  reads and keeps the edges
    return Layer(
        layer.name, pattern, layer.weights, layer.bias, kind=layer.kind, geometry=layer.geometry
    )
