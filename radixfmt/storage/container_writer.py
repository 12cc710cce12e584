"""One layer written as a Binsparse file, in the one form that all its readers know.

Version "0.1.0" in a fixed-length attribute, CSC, datasets without chunks, superblock 2.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import h5py  # noqa: TID253  this package is the one that writes HDF5

from radixfmt.encodings import pattern_encoding, value_encoding
from radixfmt.errors import UnsupportedError
from radixfmt.files import replacing
from radixfmt.model.digest import EXPANSION_LIMIT
from radixfmt.model.entries import widened
from radixfmt.storage.array_writer import ArrayWriter
from radixfmt.storage.binsparse import descriptor
from radixfmt.storage.header import LayerHeader
from radixfmt.storage.sink import Sink
from radixfmt.storage.text import stored_json

if TYPE_CHECKING:
    import os

    from radixfmt.model.layer import Layer


def write_container(path: str | os.PathLike[str], layer: Layer, *, overwrite: bool) -> list[str]:
    """Write the matrix of a linear layer and return what the file does not hold.

    Weights that Binsparse has no type for are written as float32, which holds them exactly.

    Raises:
        UnsupportedError: more edges than are written out.
        TargetExistsError: the file exists and `overwrite` is false.
        PathError: the system refuses.
    """
    pattern = layer.pattern
    if pattern.nnz > EXPANSION_LIMIT:
        raise UnsupportedError(
            f"binsparse: {layer.name} has {pattern.nnz} edges; at most {EXPANSION_LIMIT} are "
            "written out"
        )
    layer, losses = widened(layer)
    if layer.bias is not None:
        losses.append("biases")
    edges = pattern_encoding["explicit"].encode(pattern)
    encoding = next(name for name, entry in value_encoding.items() if entry.accepts(layer))
    members = {**edges.members, **value_encoding[encoding].encode(layer).members}
    types = {name: member.dtype.name for name, member in members.items()}
    header = LayerHeader(
        layer.name,
        layer.kind,
        pattern.shape,
        pattern.nnz,
        {"encoding": "explicit", **edges.facts},
        {"encoding": encoding, "dtype": types["values"]},
    )
    with (
        replacing(path, overwrite=overwrite) as temporary,
        closing(Sink(temporary)) as sink,
        ThreadPoolExecutor(1) as pool,
    ):
        with h5py.File(sink, "w", libver=("v108", "v108")) as file:
            for name, member in members.items():
                writer = ArrayWriter(file, name, member.dtype, member.length, level=0, pool=pool)
                for block in member.blocks:
                    writer.append(block)
                writer.close()
            text, _ = stored_json({"binsparse": descriptor(header, types)}, "binsparse")
            file.attrs.create("binsparse", text)
        sink.check()
    return losses
