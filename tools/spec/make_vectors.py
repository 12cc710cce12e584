#!/usr/bin/env python
"""Make the test vectors of the format, spec/vectors; --check compares only.

The same libraries make the same bytes. With others --check compares what the files hold: digests
and findings. Files that a release froze are never written again: they are compared by what they
hold, however the package stores that by now.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import h5py  # noqa: TID253  vectors are made with it
import invalid_vectors
import numpy as np
import seal
import valid_vectors
from digest_vectors import digest_vectors

import radixfmt as rx
from radixfmt.cli.info import describe
from radixfmt.model.digest import digests
from radixfmt.storage.file import File
from radixfmt.validation import Isolated

if TYPE_CHECKING:
    from radixfmt.model.layer import Layer

TARGET = Path(__file__).resolve().parents[2] / "spec" / "vectors"
MADE_WITH = TARGET / "made-with.json"
FROZEN = TARGET / "1.0.sha256"
WRITTEN_BY_HAND = ("README.md", FROZEN.name)

LARGEST_DENSE = 200
"""Cells of W up to which it is written out."""

LARGEST_COLUMN = 64
"""Edges of a column up to which it is written out."""


def main() -> int:
    """Write the folder, or with --check say whether it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if different")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        write_all(made)
        names = sorted(str(p.relative_to(made)) for p in made.rglob("*") if p.is_file())
        old = sorted(str(p.relative_to(TARGET)) for p in TARGET.rglob("*") if p.is_file())
        surplus = [name for name in old if name not in names and name not in WRITTEN_BY_HAND]
        kept = frozen()
        if not check:
            for name in surplus:
                if name not in kept:
                    (TARGET / name).unlink()
            for name in names:
                if name not in kept:
                    (TARGET / name).parent.mkdir(parents=True, exist_ok=True)
                    (TARGET / name).write_bytes((made / name).read_bytes())
        different = [n for n in (*names, *surplus) if differs(made / n, TARGET / n, n in kept)]
        for name in different:
            print(f"{TARGET / name} is not what {Path(__file__).name} makes", file=sys.stderr)
    return 1 if different else 0


def frozen() -> set[str]:
    """Return the names of the files that never change."""
    if not FROZEN.exists():
        return set()
    return {line.split(maxsplit=1)[1] for line in FROZEN.read_text("utf-8").splitlines()}


def write_all(folder: Path) -> None:
    """Make every file of the folder but README.md."""
    for name in ("valid", "invalid"):
        (folder / name).mkdir()
    with patch("radixfmt.storage.writer.__version__", "vectors"):  # not of one release
        with Isolated() as isolated:
            for name, vector in valid_vectors.vectors().items():
                write_valid(folder / "valid" / f"{name}.rx.h5", vector, isolated)
        expected = {
            f"{case.name}.rx.h5": invalid_vectors.write(folder / "invalid", case)
            for case in invalid_vectors.cases()
        }
    write_json(folder / "invalid" / "expected.json", {"files": expected})
    write_json(folder / "digests.json", digest_vectors(folder / "valid"))
    versions = {"hdf5": h5py.version.hdf5_version, "zlib": zlib.ZLIB_RUNTIME_VERSION}
    write_json(folder / MADE_WITH.name, versions)


def write_valid(path: Path, vector: valid_vectors.Valid, isolated: Isolated) -> None:
    """Write one valid vector and what a reader has to find in it."""
    rx.write(path, vector.network, storage="procedural", **vector.settings)
    if vector.edit is not None:
        version = "v108" if "compat" in vector.settings else "v110"
        with h5py.File(path, "r+", libver=(version, version)) as file:
            vector.edit(file)
    opened = File(path)
    try:
        info, requires = describe(opened), list(opened.manifest.requires)
    finally:
        opened.guard.close()
    found = digests(vector.network)
    expected = {
        "about": vector.about,
        "requires": requires,
        "info": info,
        "layers": [
            expected_layer(layer, each.as_json())
            for layer, each in zip(vector.network.layers, found.layers, strict=True)
        ],
        "findings": sorted({finding.code for finding in isolated.validate(path).findings}),
    }
    write_json(path.with_name(path.name.replace(".rx.h5", ".json")), expected)


def expected_layer(layer: Layer, found: dict[str, str]) -> dict[str, Any]:
    """Return what a reader has to find in a layer, told from its source, not from the file."""
    n_in, n_out = layer.pattern.shape
    expected: dict[str, Any] = {"digests": found}
    if layer.dtype is not None and n_in * n_out <= LARGEST_DENSE:
        expected["dense"] = dense(layer)
    chosen = sorted({0, n_out // 2, n_out - 1}) if n_out else []
    columns = {str(j): layer.pattern.columns(j, j + 1).indices for j in chosen}
    expected["columns"] = {
        j: indices.tolist() for j, indices in columns.items() if indices.size <= LARGEST_COLUMN
    }
    return expected


def dense(layer: Layer) -> list[list[float]]:
    """Return W as nested lists."""
    pattern, weights = (
        layer.pattern,
        np.broadcast_to(np.asarray(layer.weights), (layer.pattern.nnz,)),
    )
    whole = np.zeros(pattern.shape, weights.dtype)
    columns = np.repeat(np.arange(pattern.shape[1]), np.diff(pattern.indptr))
    whole[pattern.indices, columns] = weights
    plain = whole.astype(np.float64) if weights.dtype.kind not in "iu" else whole
    found: list[list[float]] = plain.tolist()
    return found


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object, an entry of each of its lists and objects on a line of its own."""
    path.write_text(_lines(value, 2), encoding="utf-8")


def _lines(value: Any, depth: int, indent: str = "") -> str:
    if depth == 0 or not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    inner = f"{indent} "
    if isinstance(value, dict):
        parts = [f"{json.dumps(k)}: {_lines(v, depth - 1, inner)}" for k, v in value.items()]
    else:
        parts = [_lines(item, depth - 1, inner) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    body = f",\n{inner}".join(parts)
    return f"{opening}\n{inner}{body}\n{indent}{closing}" + ("\n" if not indent else "")


def differs(made: Path, there: Path, kept: bool) -> bool:
    """Return whether a file is another one; `kept`, or made by other libraries: holds another."""
    if not (made.exists() and there.exists()):
        return made.exists() or there.exists()
    if made.read_bytes() == there.read_bytes():
        return False
    if made.name == MADE_WITH.name:
        return False
    same_libraries = (made.parents[1] / MADE_WITH.name).read_bytes() == MADE_WITH.read_bytes()
    exact = made.suffix == ".json" or (same_libraries and not kept)
    return exact or content(made) != content(there)


def content(path: Path) -> Any:
    """Return what a file holds, as far as it can be read, without regard to how it is stored."""
    try:
        with h5py.File(path, "r") as file:
            roots = seal.root_digests(file)
            return roots, [seal.layer_digests(*each) for each in seal.layers(file)]
    except Exception:  # noqa: BLE001  invalid vectors break at any place: their findings are tested
        return None


if __name__ == "__main__":
    sys.exit(main())
