"""Writing a file: layers one at a time, sealed at the end, whole or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Self

import h5py  # noqa: TID253  this package is the one that writes HDF5

from radixfmt.errors import ParameterError
from radixfmt.files import replacing
from radixfmt.model.digest import (
    LayerDigests,
    NetworkDigests,
    digests,
)
from radixfmt.model.network import LazyLayers, Network, chain
from radixfmt.storage.column_stream import ColumnStream
from radixfmt.storage.graph_writer import write_graph
from radixfmt.storage.layer_writer import Storage, write_layer
from radixfmt.storage.manifest import FORMAT_VERSION
from radixfmt.storage.sink import Sink
from radixfmt.storage.text import stored_text
from radixfmt.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from radixfmt.model.layer import Layer
    from radixfmt.storage.header import LayerHeader


class Writer:
    """A file being written, a layer at a time; use it in a `with` block.

    The file appears under its name when the block ends without an error, complete and on disk;
    otherwise nothing changes. At most one block of one layer is in memory.

    Args:
        path: the file, by custom `NAME.rx.h5`.
        overwrite: whether an existing file may be replaced.
        storage: how arrays are kept.

    Raises:
        TargetExistsError: the file exists and `overwrite` is false.
        PathError: the system refuses.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        storage: Storage | None = None,
    ) -> None:
        self._path = path
        self._overwrite = overwrite
        self._storage = storage or Storage()
        self._stack = ExitStack()
        self._headers: list[LayerHeader] = []
        self._digests: list[LayerDigests] = []
        self._sealed: NetworkDigests | None = None
        self._broken = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path, overwrite=self._overwrite))
            self._pool = stack.enter_context(ThreadPoolExecutor(os.cpu_count() or 1))
            # v110: superblock 3 and checksummed headers; `latest` is unreadable by HDF5 1.10
            versions = "v108" if self._storage.compat == "1.8" else "v110"
            self._sink = stack.enter_context(closing(Sink(temporary)))
            stack.callback(self._sink.check)  # after the library has closed the file
            self._h5 = stack.enter_context(h5py.File(self._sink, "w", libver=(versions, versions)))
            self._layers = self._h5.create_group("layers")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._sealed is None:
            with self._stack:
                self.seal()
        else:
            self._stack.__exit__(kind, error, traceback)

    def append(self, layer: Layer) -> LayerDigests:
        """Write the next layer and return its digests.

        Raises:
            UnsupportedError: a type that the format does not hold, or too many edges.
        """
        self._check_open()
        self._sink.check()
        i = len(self._headers)
        self._broken = f"layer {i} could not be written"  # until it is
        group = self._layers.create_group(f"{i:06d}")
        header, found = write_layer(group, layer, self._storage, self._pool)
        self._broken = ""
        self._headers.append(header)
        self._digests.append(found)
        return found

    @contextmanager
    def columns(
        self, name: str, shape: tuple[int, int], *, dtype: Any = None, bias: Any = None
    ) -> Iterator[ColumnStream]:
        """Write the next layer by blocks of columns: `append` them to what this yields.

        Blocks wait in an unnamed file beside the target, not in memory.

        Args:
            name: of the layer.
            shape: (n_in, n_out).
            dtype: of the weights; None for topology only.
            bias: as `Layer` takes it.

        Raises:
            ParameterError: blocks that do not fit, or not all columns were given.
            FormatError: edges out of range or out of order (RX4004 to RX4006).
        """
        folder = os.path.dirname(os.fspath(self._path)) or "."  # noqa: PTH120  as `open` takes it
        with ColumnStream(name, shape, dtype, folder) as stream:
            yield stream
            self.append(stream.layer(bias))

    def seal(self, network: Network | None = None, **settings: Any) -> NetworkDigests:
        """Write graph, tensors and metadata; nothing can be added afterwards.

        Args:
            network: its graph, inputs, outputs, tensors, metadata and ext are stored, and its
                layers are taken to be those appended.
            **settings: without `network`, what `radixfmt.chain` takes: activation, clip, metadata.

        Returns:
            All digests.

        Raises:
            ParameterError: no layers, or sealed already.
            FormatError: a graph that does not hold together.
        """
        self._check_open()
        known = [(header.kind, header.shape) for header in self._headers]
        if network is None:
            network = chain(LazyLayers(known, _gone), **settings)
        elif list(network.headers) != known:
            raise ParameterError(
                f"{self._path}: expected the graph of the {len(known)} layers that were appended, "
                f"got one of {len(network.headers)} layers, or of other kinds and shapes"
            )
        self._broken = "the graph could not be written"  # until it is
        found = digests(network, self._digests)
        write_graph(self._h5, network, self._headers)
        for name, value in (
            ("format", "radixfmt"),
            ("format_version", FORMAT_VERSION),
            ("topology_digest", found.topology),
            ("content_digest", found.content),
            ("metadata_digest", found.metadata),
            ("writer", f"radixfmt {__version__} python"),
        ):
            self._h5.attrs.create(name, stored_text(value))
        self._sealed, self._broken = found, ""
        return found

    def _check_open(self) -> None:
        if not hasattr(self, "_sink"):
            raise ParameterError(
                f"{self._path}: is not open", hint="with radixfmt.Writer(path) as writer: …"
            )
        if self._sealed is not None:
            raise ParameterError(f"{self._path}: is sealed; nothing can be added")
        if self._broken:
            raise ParameterError(
                f"{self._path}: {self._broken}; no file is made",
                hint="leave the `with` block and write the network again",
            )


def write(
    path: str | os.PathLike[str],
    network: Network,
    *,
    overwrite: bool = False,
    storage: str = "procedural",
    small: bool = False,
    compat: str | None = None,
) -> str:
    """Write `network` to a file and return its content digest, `rx1:…`.

    The file appears under its name only when it is complete and on disk. The same network gives
    the same bytes.

    Args:
        path: the file, by custom `NAME.rx.h5`.
        network: layers are made, hashed and written one at a time.
        overwrite: whether an existing file may be replaced.
        storage: "procedural" keeps generator records where patterns have them, "explicit" writes
            every edge out.
        small: compress all arrays at deflate level 4; slower to write and to read.
        compat: "1.8" for readers that know HDF5 up to 1.8 only.

    Raises:
        TargetExistsError: the file exists and `overwrite` is false.
        PathError: the system refuses.
        ParameterError: another `storage` or `compat`.
        UnsupportedError: a weight or tensor type that the format does not hold.
    """
    settings = Storage(storage, small, compat)
    return write_network(path, network, overwrite=overwrite, storage=settings).content


def write_network(
    path: str | os.PathLike[str], network: Network, *, overwrite: bool, storage: Storage
) -> NetworkDigests:
    """Write `network` as `write` does and return all digests, computed on the way."""
    if not isinstance(network, Network):
        raise ParameterError(f"{path}: expected a Network to write, got {type(network).__name__}")
    with Writer(path, overwrite=overwrite, storage=storage) as writer:
        for layer in network.layers:
            writer.append(layer)
        return writer.seal(network)


def _gone(i: int) -> Layer:
    raise ParameterError(f"layer {i} is written; read it from the file")
