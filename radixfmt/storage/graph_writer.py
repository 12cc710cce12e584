"""What a file holds beside its layers: tensors, /ext and the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that writes HDF5
import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.model.digest import dense_digest, graph_json
from radixfmt.model.dtypes import LARGEST_RANK, TENSOR_TYPES
from radixfmt.model.wiring import profile_problems
from radixfmt.storage.array_writer import creation_settings, stored_type
from radixfmt.storage.manifest import (
    FORMAT_VERSION,
    PATH,
    Manifest,
    TensorHeader,
    features_of,
    manifest_json,
)
from radixfmt.storage.structure import NAME
from radixfmt.storage.text import LARGEST_TEXT, stored_json, stored_text
from radixfmt.storage.tree import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.storage.header import LayerHeader


def write_graph(file: Any, network: Network, headers: Sequence[LayerHeader]) -> None:
    """Write the tensors, /ext and the manifest of a network whose layers are written.

    Raises:
        UnsupportedError: a type, a rank, a text or a path of /ext that the format does not hold.
        FormatError: metadata that a reader would refuse (RX2006, RX2007, RX2010).
    """
    tensors = []
    for i, (name, value) in enumerate(network.tensors.items()):
        tensor = _checked(f"tensor {name!r}", np.asarray(value))
        _write_dense(file.require_group("tensors"), f"{i:06d}", tensor)
        tensors.append(TensorHeader(name, tensor.dtype.name, tensor.shape, dense_digest(tensor)))
    _check_paths(network.ext)
    for path, entry in network.ext.items():
        folder, _, name = f"ext/{path}".rpartition("/")
        group = file.require_group(folder)
        if isinstance(entry, str):
            group.create_dataset(name, data=stored_text(entry, f"/ext/{path}", LARGEST_TEXT))
        else:
            _write_dense(group, name, _checked(f"/ext/{path}", np.asarray(entry)))
    features = {feature for header in headers for feature in header.features}
    features |= features_of([*tensors, *network.inputs, *network.outputs])
    nodes = network.graph, network.inputs, network.outputs
    profile = [] if any(profile_problems("chain", *nodes)) else ["chain"]
    manifest = manifest_json(graph_json(network), tensors, network.metadata, features, profile)
    text, read_back = stored_json(manifest, PATH, LARGEST_TEXT)
    # What a reader would refuse is found before the file gets its name.
    Manifest.from_json(read_back, file="what is to be written", version=FORMAT_VERSION)
    file.create_dataset("manifest", data=text)


def _check_paths(paths: Iterable[str]) -> None:
    """Check that /ext can hold entries of these paths (spec §2)."""
    known = set(paths)
    for path in known:
        parts = path.split("/")
        names = (part.encode("utf-8", "surrogatepass") for part in parts)
        if len(parts) > DEEPEST or not all(map(NAME.match, names)):
            raise UnsupportedError(
                f"/ext/{path[:80]}: expected at most {DEEPEST} names of 1 to 64 characters a-z, "
                "0-9, _, . and -, with / between them"
            )
        for end in range(1, len(parts)):
            if (group := "/".join(parts[:end])) in known:
                raise UnsupportedError(f"/ext/{group}: cannot hold a value and /ext/{path} too")


def _checked(what: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.name not in TENSOR_TYPES or array.ndim > LARGEST_RANK:
        raise UnsupportedError(
            f"{what}: {array.dtype.name} of rank {array.ndim}; the format holds "
            f"{', '.join(TENSOR_TYPES)} of rank at most {LARGEST_RANK}"
        )
    return array


def _write_dense(group: Any, name: str, array: NDArray[Any]) -> None:
    """Write a dense array of any rank; bool as uint8 (spec §5)."""
    plain = array.astype(np.uint8) if array.dtype == np.bool_ else array
    kind = stored_type(plain.dtype)
    space = h5py.h5s.create_simple(plain.shape) if plain.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    dataset = h5py.h5d.create(group.id, name.encode(), kind, space, creation_settings())
    if plain.size:
        ready = np.ascontiguousarray(plain, plain.dtype.newbyteorder("<")).reshape(plain.shape)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, ready.view(f"<u{ready.itemsize}"), kind)
