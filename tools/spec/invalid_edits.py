"""Edits that break a file; each returns a function of the open file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  vectors are made with it
import numpy as np
from seal import seal, text
from valid_edits import put, store_header

from radixfmt.model.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable

    Edit = Callable[[Any], None]

LAYER = "layers/000000"
EXT = "ext/org.example.radixfmt"


def together(*edits: Edit) -> Edit:
    """Do all edits."""

    def edit(file: Any) -> None:
        for each in edits:
            each(file)

    return edit


def sealed(*edits: Edit) -> Edit:
    """Do all edits, then make every digest the right one."""
    return together(*edits, seal)


def attribute(name: str, value: str, path: str = "/") -> Edit:
    """Set a text attribute."""
    return lambda file: file[path].attrs.create(name, text(value))


def no_attribute(name: str, path: str = "/") -> Edit:
    """Remove an attribute."""
    return lambda file: file[path].attrs.__delitem__(name)


def manifest_text(data: bytes) -> Edit:
    """Replace the text of the manifest."""

    def edit(file: Any) -> None:
        del file["manifest"]
        file.create_dataset("manifest", data=text(data))

    return edit


def manifest(change: Callable[[dict[str, Any]], Any]) -> Edit:
    """Change the object of the manifest."""

    def edit(file: Any) -> None:
        value = json.loads(file["manifest"][()])
        change(value)
        manifest_text(canonical_json(value).encode())(file)

    return edit


def metadata(**changes: Any) -> Edit:
    """Set members of the metadata."""
    return manifest(lambda value: value["metadata"].update(changes))


def graph(change: Callable[[dict[str, Any]], Any]) -> Edit:
    """Change the graph, which no longer promises to be a chain."""

    def edit(value: dict[str, Any]) -> None:
        value.pop("profile", None)
        change(value["graph"])

    return manifest(edit)


def node(index: int, **changes: Any) -> Edit:
    """Set members of a node."""
    return graph(lambda value: value["nodes"][index].update(changes))


def more_nodes(*nodes: dict[str, Any]) -> Edit:
    """Add nodes."""
    return graph(lambda value: value["nodes"].extend(nodes))


def header(change: Callable[[dict[str, Any]], Any] | None = None, **changes: Any) -> Edit:
    """Change the header of the first layer."""

    def edit(file: Any) -> None:
        group = file[LAYER]
        value = json.loads(group.attrs["layer"])
        value.update(changes)
        if change is not None:
            change(value)
        store_header(group, value)

    return edit


def element(name: str, index: Any, value: Any) -> Edit:
    """Set elements of an array of the first layer."""
    return lambda file: file[f"{LAYER}/{name}"].__setitem__(index, value)


def array(name: str, make: Callable[[Any], Any] = lambda old: old, **settings: Any) -> Edit:
    """Store an array of the first layer anew: what `make` makes of its elements."""

    def edit(file: Any) -> None:
        put(file[LAYER], name, make(file[f"{LAYER}/{name}"][:]), **settings)

    return edit


def chunk(name: str, change: Callable[[bytes], bytes], *, mask: int = 0, **settings: Any) -> Edit:
    """Store an array of the first layer as one chunk, and its bytes as `change` makes them."""

    def edit(file: Any) -> None:
        length = file[f"{LAYER}/{name}"].size
        put(file[LAYER], name, None, chunks=(length,), **settings)
        dataset = file[f"{LAYER}/{name}"]
        data = dataset.id.read_direct_chunk((0,))[1]
        dataset.id.write_direct_chunk((0,), change(bytes(data)), mask)

    return edit


def extra(name: str, **settings: Any) -> Edit:
    """Add a dataset under /ext."""
    return lambda file: file.create_dataset(f"{EXT}/{name}", **settings)


def ext_group(file: Any) -> None:
    """Add the group under /ext."""
    file.create_group(EXT)


def link(path: str, target: Any) -> Edit:
    """Put a link where an object was, or where nothing was; a text names an object of the file."""

    def edit(file: Any) -> None:
        goal = file.require_group(target) if isinstance(target, str) else target
        if path in file:
            del file[path]
        file.require_group(path.rpartition("/")[0])
        file[path] = goal

    return edit


def nested(levels: int) -> Edit:
    """Put groups inside each other, the root not counted."""
    return lambda file: file.create_group(EXT + "/a" * (levels - 2))


def variable_text(owner: str, name: str, value: str) -> Edit:
    """Set an attribute to a text of variable length."""

    def edit(file: Any) -> None:
        file.require_group(owner).attrs.create(name, value, dtype=h5py.string_dtype())

    return edit


def committed(file: Any) -> None:
    """Commit a type and store an array of the first layer with it."""
    file[f"{EXT}/kind"] = np.dtype("<f4")
    old = file[f"{LAYER}/bias"][:]
    del file[f"{LAYER}/bias"]
    file[LAYER].create_dataset("bias", data=old, dtype=file[f"{EXT}/kind"])


def virtual(file: Any) -> None:
    """Make the bias of the first layer a view of another file."""
    layout = h5py.VirtualLayout((5,), "<f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "bias", (5,))
    del file[f"{LAYER}/bias"]
    file[LAYER].create_virtual_dataset("bias", layout)


def external(file: Any) -> None:
    """Keep the bias of the first layer in another file."""
    del file[f"{LAYER}/bias"]
    file[LAYER].create_dataset("bias", (5,), "<f4", external=[("elsewhere.bin", 0, 20)])


def chunks_missing(file: Any) -> None:
    """Write the first chunk of an array of the first layer alone."""
    values = file[f"{LAYER}/values"][:]
    del file[f"{LAYER}/values"]
    made = file[LAYER].create_dataset("values", values.shape, "<f4", chunks=(4,), compression=1)
    made[:4] = values[:4]


def old_superblock(file: Any, path: str) -> None:
    """Copy a file into one with a superblock of version 0."""
    with h5py.File(path, "w", libver=("earliest", "v108")) as new:

        def visit(name: str, entry: Any) -> None:
            if isinstance(entry, h5py.Group):
                made = new.require_group(name)
            else:
                made = new.create_dataset(name, data=entry[()])
            copy_attributes(entry, made)

        file.visititems(visit)
        copy_attributes(file, new)


def copy_attributes(source: Any, target: Any) -> None:
    """Copy text attributes."""
    for name, value in source.attrs.items():
        target.attrs.create(name, text(value))
