"""Writing a network: one layer in memory at a time, whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that writes HDF5
import numpy as np

from radixfmt.encodings import Member, pattern_encoding, value_encoding
from radixfmt.errors import ParameterError, PathError, UnsupportedError
from radixfmt.files import replacing
from radixfmt.model.canonical import canonical_json
from radixfmt.model.digest import (
    EXPANSION_LIMIT,
    LayerDigests,
    NetworkDigests,
    digests,
    graph_json,
    layer_digests,
)
from radixfmt.model.network import Network
from radixfmt.storage.binsparse import descriptor
from radixfmt.storage.guard import LARGEST_ATTRIBUTE, LARGEST_RANK, LARGEST_TEXT
from radixfmt.storage.header import VALUE_TYPES, LayerHeader
from radixfmt.storage.manifest import FORMAT_VERSION, manifest_json
from radixfmt.version import __version__

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from radixfmt.model.layer import Layer

CHUNK_BYTES = 1 << 20
SMALLEST_CHUNKED = 4096
"""Arrays of fewer bytes are stored contiguous: a chunk index would outweigh them."""


def write(
    path: str | os.PathLike[str],
    network: Network,
    *,
    overwrite: bool = False,
    storage: str = "procedural",
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

    Raises:
        TargetExistsError: the file exists and `overwrite` is false.
        PathError: the system refuses.
        ParameterError: another `storage`.
        UnsupportedError: a weight or tensor type that the format does not hold.
    """
    return write_network(path, network, overwrite=overwrite, storage=storage).content


def write_network(
    path: str | os.PathLike[str], network: Network, *, overwrite: bool, storage: str
) -> NetworkDigests:
    """Write `network` as `write` does and return all digests, computed on the way."""
    if storage not in ("procedural", "explicit"):
        raise ParameterError(f"storage: expected procedural or explicit, got {storage!r}")
    if not isinstance(network, Network):
        raise ParameterError(f"{path}: expected a Network to write, got {type(network).__name__}")
    with (
        full_disk(path),
        replacing(path, overwrite=overwrite) as temporary,
        # v110: superblock 3 and checksummed headers; `latest` is unreadable by HDF5 1.10
        h5py.File(temporary, "w", libver=("v110", "v110")) as file,
    ):
        return _write(file, network, storage)


@contextmanager
def full_disk(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name what HDF5 cannot: closing a file on a full disk fails with a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise PathError(f"{path}: cannot write: {error}") from error


def _write(file: Any, network: Network, storage: str) -> NetworkDigests:
    layers = file.create_group("layers")
    done: list[LayerDigests] = []
    requires: set[str] = set()
    for i, layer in enumerate(network.layers):
        found = layer_digests(layer)
        requires |= _write_layer(layers.create_group(f"{i:06d}"), layer, found, storage)
        done.append(found)
    _write_tensors(file, network)
    every = digests(network, done)
    text = canonical_json(
        manifest_json(graph_json(network), list(network.tensors), network.metadata, requires)
    )
    file.create_dataset("manifest", data=_text(text, "manifest", LARGEST_TEXT))
    for name, value in (
        ("format", "radixfmt"),
        ("format_version", FORMAT_VERSION),
        ("topology_digest", every.topology),
        ("content_digest", every.content),
        ("metadata_digest", every.metadata),
        ("writer", f"radixfmt {__version__} python"),
    ):
        file.attrs.create(name, _text(value))
    return every


def _write_layer(group: Any, layer: Layer, found: LayerDigests, storage: str) -> set[str]:
    """Write one layer and return the features a reader needs for it."""
    if layer.dtype is not None and layer.dtype.name not in VALUE_TYPES:
        raise UnsupportedError(
            f"{layer.name}: weights of type {layer.dtype.name}; the format holds "
            f"{', '.join(VALUE_TYPES)}"
        )
    patterns = "procedural" if storage == "procedural" else "explicit"
    if (
        not pattern_encoding[patterns].accepts(layer.pattern)
        or len(canonical_json(layer.pattern.record or {})) > LARGEST_ATTRIBUTE - 4096
    ):
        patterns = "explicit"
    if patterns == "explicit" and layer.pattern.nnz > EXPANSION_LIMIT:
        raise UnsupportedError(
            f"{layer.name}: {layer.pattern.nnz} edges; at most {EXPANSION_LIMIT} of a layer are "
            "written out",
            hint="keep the generator's record: storage procedural",
        )
    pattern = pattern_encoding[patterns].encode(layer.pattern)
    weights = next(name for name, entry in value_encoding.items() if entry.accepts(layer))
    values = value_encoding[weights].encode(layer)
    for name, member in {**pattern.members, **values.members}.items():
        _write_array(group, name, member)
    bias = None
    if layer.bias is not None:
        dtype = layer.bias.dtype.newbyteorder("<")
        _write_array(group, "bias", Member(dtype, layer.bias.size, (layer.bias,)))
        bias = {"dtype": layer.bias.dtype.name, "length": layer.bias.size}
    header = LayerHeader(
        layer.name,
        layer.kind,
        layer.pattern.shape,
        layer.pattern.nnz,
        {"encoding": patterns} | dict(pattern.facts),
        {"encoding": weights, "dtype": values.members["values"].dtype.name},
        bias,
        layer.geometry,
        found.as_json(),
    )
    group.attrs.create("layer", _text(canonical_json(header.as_json()), layer.name[:80]))
    if patterns == "explicit" and (container := descriptor(header, pattern.members)):
        group.attrs.create("binsparse", _text(canonical_json({"binsparse": container})))
    return {f"procedural.{pattern.facts['generator']}"} if patterns == "procedural" else set()


def _write_array(group: Any, name: str, member: Member) -> None:
    size = member.length * member.dtype.itemsize
    options: dict[str, Any] = {}
    if size >= SMALLEST_CHUNKED and member.compress:
        chunk = min(member.length, CHUNK_BYTES // member.dtype.itemsize)
        options = {"chunks": (chunk,), "shuffle": True, "compression": 1}
    dataset = group.create_dataset(name, (member.length,), member.dtype, **options)
    first = 0
    for block in member.blocks:
        dataset[first : first + block.size] = block
        first += block.size


def _write_tensors(file: Any, network: Network) -> None:
    if not network.tensors:
        return
    group = file.create_group("tensors")
    for i, (name, value) in enumerate(network.tensors.items()):
        tensor = np.asarray(value)
        if tensor.dtype.name not in VALUE_TYPES or tensor.ndim > LARGEST_RANK:
            raise UnsupportedError(
                f"tensor {name!r}: {tensor.dtype.name} of rank {tensor.ndim}; the format holds "
                f"{', '.join(VALUE_TYPES)} of rank at most {LARGEST_RANK}"
            )
        group.create_dataset(f"{i:06d}", data=tensor.astype(tensor.dtype.newbyteorder("<")))


def _text(value: str, what: str = "attribute", limit: int = LARGEST_ATTRIBUTE) -> Any:
    """Return a fixed-length UTF-8 scalar, the one kind of string every reader takes."""
    data = value.encode()
    if len(data) > limit:
        raise UnsupportedError(f"{what}: {len(data)} bytes of JSON; the format holds {limit}")
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))
