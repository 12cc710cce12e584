"""Binsparse files: one matrix at the root of an HDF5 file, made a network of one layer.

Entry (i, j) is the edge from input i to output j. Arrays are read through the guard, their
declared sizes bounded first, and every position is checked.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import InputError
from radixfmt.generators import from_record
from radixfmt.limits import DEFAULTS, Limits
from radixfmt.model.entries import (
    most_bytes,
    most_entries,
    owners,
    pattern_of,
    positions,
    weights_of,
)
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.network import chain
from radixfmt.storage.fields import Fields
from radixfmt.storage.guard import Guard
from radixfmt.storage.strict_json import parse

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

ATTRIBUTE = "binsparse"
VERSION = re.compile(r"0\.1(\.\d{1,4})?")
DENSE = ("DMAT", "DMATR", "DMATC")
COMPRESSED = ("CSR", "CSC", "DCSR", "DCSC")
COORDINATE = ("COO", "COOR", "COOC")
VECTORS = ("DVEC", "CVEC")
BY_COLUMN = ("CSC", "DCSC", "COOC", "DMATC")

STRUCTURES = {
    f"{kind}_{triangle}": (sign, triangle)
    for kind, sign in (("symmetric", 1), ("skew_symmetric", -1))
    for triangle in ("lower", "upper")
}
"""What the half that is not stored holds, and which half is; Hermitian ones are complex."""


def open_container(
    path: str | os.PathLike[str], *, trusted: bool = False, limits: Limits = DEFAULTS
) -> tuple[Network, list[str]]:
    """Return the matrix of a Binsparse file as a network of one layer, and what was not kept.

    Args:
        path: the file.
        trusted: also open what the HDF5 library can crash on, see `radixfmt.storage.open`.
        limits: of what the file may use.

    Raises:
        PathError: missing, a folder, or the system refuses.
        FormatError: an HDF5 file that is not read, or arrays that break spec §4.
        InputError: no Binsparse file (code "no-container"), or one that cannot be a layer.
    """
    with closing(Guard(path, trusted=trusted, limits=limits)) as guard:
        layer, losses = _Container(guard).layer()
    return chain([layer], metadata=Metadata(name=Path(path).name)), losses


class _Container:
    """The descriptor of an open file, and access to its arrays."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.file = guard.file
        text = guard.attribute("/", ATTRIBUTE)
        if text is None:
            raise InputError(
                f"{self.file}: an HDF5 file without the attribute `binsparse`", code="no-container"
            )
        whole = Fields(parse(text, path="/", file=self.file), pointer="", path="/", file=self.file)
        self.fields = fields = whole.into(ATTRIBUTE)
        self.beside = sorted(set(whole.value) - {ATTRIBUTE})
        version = fields.get("version", str)
        if not VERSION.fullmatch(version):
            raise self.refuse(f"expected Binsparse 0.1, got version {version[:40]!r}")
        self.format = fields.get("format", str)
        if self.format in VECTORS:
            raise self.refuse(f"expected a matrix, got a vector ({self.format})")
        if self.format not in (*DENSE, *COMPRESSED, *COORDINATE):
            raise self.refuse(
                "expected format " + ", ".join((*COMPRESSED, *COORDINATE, *DENSE))
                + f"; got {self.format[:40]!r}"
            )  # fmt: skip
        self.shape = fields.shape()
        self.count = fields.get("number_of_stored_values", int)
        self.types = fields.into("data_types")
        self.used: set[str] = set()
        self.declared = 0
        if fields.get("index_base", int, 0) != 0:
            raise self.refuse("expected indices that count from 0 (index_base)")

    def layer(self) -> tuple[Layer, list[str]]:
        """Return the matrix as a layer, and what that does not keep.

        Raises:
            FormatError: arrays that are missing or broken.
            InputError: a matrix that cannot be a layer.
        """
        self._check_fill()
        values, iso = self._values()
        losses = ["inputs come from the rows of the matrix, outputs from its columns"]
        if self.format in DENSE:
            pattern, order = self._dense()
            losses.append("edges come from all cells of the dense matrix, its zeros too")
        else:
            rows, columns = self._entries()
            rows, columns, values = self._unfolded(rows, columns, values, iso=iso)
            iso = iso and values.size == 1
            pattern, order = pattern_of(self.shape, rows, columns, file=self.file)
        weights, notes = weights_of(values, file=self.file)
        if weights is not None and not iso and order is not None:
            weights = weights[order]
        unread = sorted(set(self.guard.names("/")) - self.used)
        for what, names in (("attributes", self.beside), ("objects", unread)):
            if names:
                losses.append(f"other {what}: {ascii(', '.join(names[:8]))[1:-1][:200]}")
        return Layer("layer0", pattern, weights), losses + notes

    def refuse(self, problem: str) -> InputError:
        """Return the error for a matrix that is not read."""
        return InputError(f"{self.file}: {problem}")

    def _check_fill(self) -> None:
        if self.fields.has("fill") and self.fields.get("fill", bool):
            value = self._read("fill_value", 1)
            if value[0] != 0:
                raise self.refuse(
                    f"expected absent entries to be 0, got the fill value {value[0]}; such a "
                    "matrix is not sparse"
                )

    def _values(self) -> tuple[NDArray[Any], bool]:
        """Return the values, bool where they are such, and whether one stands for all."""
        declared = self.types.get("values", str)
        inner = re.fullmatch(r"iso\[(.*)\]", declared)
        kind = inner[1] if inner else declared
        if "[" in kind:
            raise self.refuse(f"expected real values, got {declared[:40]!r}")
        most = most_entries(self.guard.size)
        if self.count > most and not (inner and self.format in DENSE):  # its pattern is a rule
            raise self.refuse(f"declares {self.count} entries; at most {most} are read from it")
        return self._read("values", 1 if inner else self.count, kind), inner is not None

    def _read(self, name: str, length: int | None, kind: str | None = None) -> NDArray[Any]:
        """Return an array after checking its type and length against what is declared."""
        self.used.add(name)
        declared = kind or self.types.get(name, str)
        array = self.guard.array(f"/{name}")
        stored = ("uint8", "int8") if declared == "bint8" else (declared,)
        if array.dtype.name not in stored:
            raise self.refuse(f"{name}: expected type {declared[:40]!r}, got {array.dtype.name}")
        if len(array.shape) != 1 or length not in (None, *array.shape):
            expected = "a list" if length is None else f"{length} elements"
            raise self.refuse(f"{name}: expected {expected}, got shape {array.shape}")
        self.declared += array.profile.nbytes
        most = most_bytes(self.guard.size)
        if self.declared > most:
            raise self.refuse(f"declares {self.declared} bytes; at most {most} are read from it")
        data = array.read()
        return data.astype(np.bool_) if declared == "bint8" else data

    def _entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return rows and columns of the stored entries, checked."""
        minor = self._read("indices_1", self.count)
        if self.format in COORDINATE:
            major = self._read("indices_0", self.count)
        else:
            lines = self.shape[1] if self.format in BY_COLUMN else self.shape[0]
            listed = self._read("indices_0", None) if self.format[0] == "D" else None
            lines = lines if listed is None else listed.size
            pointers = self._read("pointers_to_1", None)
            major = owners(pointers, lines, self.count, file=self.file)
            major = major if listed is None else listed[major]
        if self.format == "COOC" and (major[1:] < major[:-1]).any():
            raise self.refuse("COOC: expected entries by column; are indices_0 the rows?")
        rows, columns = (minor, major) if self.format in BY_COLUMN else (major, minor)
        return (
            positions(rows, self.shape[0], "row", file=self.file),
            positions(columns, self.shape[1], "column", file=self.file),
        )

    def _unfolded(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        values: NDArray[Any],
        *,
        iso: bool,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
        """Return all entries of a matrix of which a triangle is stored."""
        if not self.fields.has("structure"):
            return rows, columns, values
        name = self.fields.get("structure", str)
        if name not in STRUCTURES or self.shape[0] != self.shape[1]:
            raise self.refuse(
                f"expected a square matrix of structure {', '.join(STRUCTURES)}; got "
                f"{name[:40]!r}, {self.shape[0]} by {self.shape[1]}"
            )
        sign, triangle = STRUCTURES[name]
        lower, upper = (rows, columns) if triangle == "lower" else (columns, rows)
        if (lower < upper).any():
            raise self.refuse(f"{name}: expected entries of one triangle alone, got both")
        if sign < 0 and values.dtype.kind != "f":
            raise self.refuse(f"{name}: expected floats, got {values.dtype.name}")
        off = rows != columns
        if sign < 0 or not iso:
            values = np.broadcast_to(values, rows.shape)
            values = np.concatenate([values, sign * values[off] if sign < 0 else values[off]])
        return (
            np.concatenate([rows, columns[off]]),
            np.concatenate([columns, rows[off]]),
            values,
        )

    def _dense(self) -> tuple[Pattern, NDArray[np.int64] | None]:
        """Return the pattern of all cells, and the order that sorts their values."""
        n_in, n_out = self.shape
        if self.count != n_in * n_out or self.fields.has("structure"):
            raise self.refuse(
                f"{self.format}: expected {n_in * n_out} values without structure, got {self.count}"
            )
        if not self.count:
            nothing = np.zeros(0, np.int64)
            return pattern_of(self.shape, nothing, nothing, file=self.file)
        record = {"generator": "dense/1", "parameters": {"inputs": n_in, "outputs": n_out}}
        by_column = self.format in BY_COLUMN or self.types.get("values", str).startswith("iso[")
        order = None if by_column else np.arange(self.count).reshape(self.shape).T.ravel()
        return from_record(record), order
