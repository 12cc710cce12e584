"""The digests of a file, computed from its raw datasets by the words of the specification (§7).

A second implementation: it shares nothing with the package but the spelling of JSON. It seals
vectors after an edit, and tests compare it with what the package computes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  vectors are made with it
import numpy as np

from radixfmt.model.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_EDGES = 2**31

NODE = ("op", "inputs", "outputs", "attributes", "layer")
GEOMETRY = ("kernel_shape", "strides", "pads", "dilations", "group")
RECORD = ("generator", "parameters")
LAYER = ("pattern", "values", "bias", "scale", "zero_point")

PREIMAGES: dict[str, bytes] = {}
"""What was hashed, by digest: of small files, so all is kept."""


def text(value: str | bytes) -> Any:
    """Return a text as the format stores it."""
    data = value.encode() if isinstance(value, str) else value
    return np.array(data, h5py.string_dtype("utf-8", max(len(data), 1)))


def store_manifest(file: Any, value: Any) -> None:
    """Replace the manifest."""
    if "manifest" in file:
        del file["manifest"]
    file.create_dataset("manifest", data=text(canonical_json(value)))


def seal(file: Any) -> None:
    """Write every digest of an open file anew."""
    manifest = json.loads(file["manifest"][()])
    for entry, digest in zip(manifest["tensors"], tensor_digests(file, manifest), strict=True):
        entry["digest"] = digest
    store_manifest(file, manifest)
    for group, header in layers(file):
        header["digests"] = layer_digests(group, header)
        group.attrs.create("layer", text(canonical_json(header)))
    for name, digest in root_digests(file).items():
        file.attrs.create(f"{name}_digest", text(digest))


def layers(file: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each layer's group and header."""
    for name in sorted(file["layers"]):
        group = file[f"layers/{name}"]
        yield group, json.loads(group.attrs["layer"])


def layer_digests(group: Any, header: dict[str, Any]) -> dict[str, str]:
    """Return a layer's digests; that of a pattern that a generator expands is its header's."""
    n_out, nnz = header["shape"][1], header["nnz"]
    name, encoding = header["values"]["dtype"], header["values"]["encoding"]
    found = {"pattern": header.get("digests", {}).get("pattern", "")}
    if nnz > MOST_EDGES:
        recipe = {"shape": header["shape"], "record": _only(header["pattern"], RECORD)}
        found["pattern"] = _rx1("recipe", canonical_json(recipe).encode(), recipe=True)
    order = slice(None)
    if header["pattern"]["encoding"] == "explicit":
        pointers, indices, order = columns(group, header)
        start = np.array([*header["shape"], nnz], "<u8").tobytes()
        edges = pointers.astype("<u8").tobytes() + indices.astype("<u8").tobytes()
        found["pattern"] = _rx1("pattern", start + edges)
    if encoding != "topology-only":
        elements = raw(group["values"])
        start = f"{name}\n".encode() + np.array([nnz], "<u8").tobytes()
        if encoding == "iso" and nnz > MOST_EDGES:
            value = {"dtype": name, "nnz": str(nnz), "value": elements.tobytes().hex()}
            found["values"] = _rx1("values-recipe", canonical_json(value).encode(), recipe=True)
        elif encoding == "iso":
            found["values"] = _rx1("values", start + elements.tobytes() * nnz)
        else:
            found["values"] = _rx1("values", start + elements[order].tobytes())
    vectors = {"bias": header["bias"]["dtype"]} if "bias" in header else {}
    if encoding == "quantized":
        vectors |= {"scale": "float32", "zero_point": name}
    for role, dtype in vectors.items():
        elements = raw(group[role])
        times = n_out if elements.size == 1 else 1
        if times > MOST_EDGES:
            found[role] = dense(dtype, (1,), elements.tobytes(), recipe=True)
        else:
            found[role] = dense(dtype, (n_out,), elements.tobytes() * times)
    return found


def columns(group: Any, header: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return pointers and indices by column, and where each edge stands in the file."""
    pointers, indices = group["pointers_to_1"][:], group["indices_1"][:]
    if header["pattern"]["format"] == "CSC":
        return pointers, indices, slice(None)
    n_in, n_out = header["shape"]
    rows = np.repeat(np.arange(n_in), np.diff(pointers.astype(np.int64)))
    order = np.lexsort((rows, indices))
    counts = np.bincount(indices.astype(np.int64), minlength=n_out)
    return np.concatenate([[0], np.cumsum(counts)]), rows[order], order


def raw(dataset: Any) -> Any:
    """Return the elements of a dataset as the unsigned integers of their bits."""
    bits = np.zeros(dataset.shape, f"<u{dataset.id.get_type().get_size()}")
    if bits.size:
        dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, bits, dataset.id.get_type())
    return bits


def dense(dtype: str, shape: tuple[int, ...], data: bytes, *, recipe: bool = False) -> str:
    """Return a dense digest."""
    start = f"{dtype}\n".encode() + np.array([len(shape), *shape], "<u8").tobytes()
    return _rx1("dense", start + data, recipe=recipe)


def tensor_digests(file: Any, manifest: dict[str, Any]) -> list[str]:
    """Return the digests of the dense tensors."""
    return [
        dense(entry["dtype"], tuple(entry["shape"]), raw(file[f"tensors/{i:06d}"]).tobytes())
        for i, entry in enumerate(manifest["tensors"])
    ]


def root_digests(file: Any) -> dict[str, str]:
    """Return the topology, content and metadata digests, which rest on those of the layers."""
    manifest = json.loads(file["manifest"][()])
    headers = [header for _, header in layers(file)]
    graph = manifest["graph"]
    edges = [{"pattern": h["digests"]["pattern"], "shape": h["shape"]} for h in headers]
    found = [
        {name: h["digests"][name] for name in LAYER if name in h["digests"]}
        | ({"geometry": _only(h["geometry"], GEOMETRY)} if "geometry" in h else {})
        for h in headers
    ]
    said = {
        "inputs": [_only(value, ("name", "dtype", "shape")) for value in graph["inputs"]],
        "outputs": [_only(value, ("name", "dtype", "shape")) for value in graph["outputs"]],
        "nodes": [_node(node) for node in graph["nodes"]],
    }
    tensors = {entry["name"]: entry["digest"] for entry in manifest["tensors"]}
    recipes = {digest[:5] == "rx1r:" for h in headers for digest in h["digests"].values()}
    generated = {h["digests"]["pattern"][:5] == "rx1r:" for h in headers}
    described = {
        "metadata": manifest["metadata"],
        "names": [h["name"] for h in headers],
        "ext": ext_digests(file),
    }
    return {
        "topology": _json("topology", {"layers": edges, "feeds": feeds(graph["nodes"])}, generated),
        "content": _json("content", {"layers": found, "graph": said, "tensors": tensors}, recipes),
        "metadata": _json("metadata", described, set()),
    }


def ext_digests(file: Any) -> dict[str, str]:
    """Return the digest of each dataset under /ext, by path."""
    found: dict[str, str] = {}

    def visit(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "S":
            found[name] = _rx1("text", entry[()])
        elif isinstance(entry, h5py.Dataset):
            found[name] = dense(entry.dtype.name, entry.shape, raw(entry).tobytes())

    if "ext" in file:
        file["ext"].visititems(visit)
    return found


def feeds(nodes: list[dict[str, Any]]) -> list[list[int]]:
    """Return the pairs [i, j] where layer i feeds layer j with no layer between."""
    makers = {name: node for node in nodes for name in node["outputs"] if name}

    def sources(name: str) -> set[int]:
        node = makers.get(name)
        if node is None:
            return set()
        if "layer" in node:
            return {node["layer"]}
        return set().union(*(sources(each) for each in node["inputs"]))

    pairs = {
        (source, node["layer"])
        for node in nodes
        if "layer" in node
        for name in node["inputs"]
        for source in sources(name)
    }
    return [list(pair) for pair in sorted(pairs)]


def _node(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node as it is hashed: floats are float32, and no attributes are none."""
    attributes = {
        name: {kind: _short(value) if "float" in kind else value for kind, value in given.items()}
        for name, given in node.get("attributes", {}).items()
    }
    found = _only(node, NODE) | {"attributes": attributes}
    return found if attributes else _only(found, [name for name in NODE if name != "attributes"])


def _short(value: Any) -> Any:
    """Return the shortest decimal, as a double, that gives the same float32; lists one by one."""
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(str(np.float32(value)))


def _only(value: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value[name] for name in names if name in value}


def _json(domain: str, value: Any, recipes: set[bool]) -> str:
    return _rx1(domain, canonical_json(value).encode(), recipe=True in recipes)


def _rx1(domain: str, data: bytes, *, recipe: bool = False) -> str:
    hashed = f"radixfmt-{domain}-1\n".encode() + data
    digest = ("rx1r:" if recipe else "rx1:") + hashlib.sha256(hashed).hexdigest()
    PREIMAGES[digest] = hashed
    return digest
