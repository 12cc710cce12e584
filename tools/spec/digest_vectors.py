"""What is hashed, byte by byte: for each kind of digest, some that stand in the valid vectors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  vectors are made with it
import seal

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    "chain", "iso", "quantized", "conv", "permuted", "tensors", "ext", "recipe-radix-net",
    "recipe-dense",
)  # fmt: skip

LARGEST = 1 << 11
"""Hashed bytes up to which a digest is taken as an example."""


def digest_vectors(folder: Path) -> dict[str, Any]:
    """Return digests in the valid vectors of a folder, by file and place, and what they hash."""
    found = {}
    for name in FILES:
        with h5py.File(folder / f"{name}.rx.h5", "r") as file:
            found[f"valid/{name}.rx.h5"] = {
                place: {"digest": digest} | _hashed(seal.PREIMAGES[digest])
                for place, digest in _digests(file).items()
                if len(seal.PREIMAGES.get(digest, bytes(LARGEST + 1))) <= LARGEST
            }
    return found


def _digests(file: Any) -> dict[str, str]:
    """Return the digests of a file by place."""
    found = {}
    for i, (group, header) in enumerate(seal.layers(file)):
        for what, digest in seal.layer_digests(group, header).items():
            found[f"/layers/{i:06d} {what}"] = digest
        for name in ("in_perm", "out_perm"):
            if name in group:
                data = group[name][:].astype("<u8").tobytes()
                place = f"/layers/{i:06d} {name}"
                found[place] = seal.dense("uint64", group[name].shape, data)
    manifest = json.loads(file["manifest"][()])
    for i, digest in enumerate(seal.tensor_digests(file, manifest)):
        found[f"/tensors/{i:06d}"] = digest
    found |= {f"/ext/{path}": digest for path, digest in seal.ext_digests(file).items()}
    return found | {f"{name}_digest": digest for name, digest in seal.root_digests(file).items()}


def _hashed(data: bytes) -> dict[str, str]:
    """Return hashed bytes as the text that they are, or else in hexadecimal."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    return {"hex": data.hex()} if "\0" in text else {"text": text}
