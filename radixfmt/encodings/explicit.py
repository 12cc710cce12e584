"""`explicit`: column pointers and input indices, as Binsparse's CSC (spec §4).

`pointers_to_1` is u64 `[n_out + 1]`; `indices_1` is u16, u32 or u64 `[nnz]`, the narrowest type
that holds every input. A lazily read pattern checks pointers and indices as it reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from radixfmt.encodings import Encoded, Member, pattern_encoding
from radixfmt.encodings.rows import StoredRows
from radixfmt.findings import Finding, refuse
from radixfmt.model.columns import Columns, index_dtype
from radixfmt.model.digest import EXPANSION_LIMIT, pointer_blocks
from radixfmt.model.invariants import index_problems, pointer_problems
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from radixfmt.encodings import StoredArray
    from radixfmt.errors import FormatError

FORMATS = ("CSC", "CSR")


@dataclass(slots=True, eq=False)
class StoredColumns:
    """Edges in a file, read by column range."""

    shape: tuple[int, int]
    nnz: int
    pointers: StoredArray
    indices: StoredArray
    record: ClassVar[None] = None
    arrays: ClassVar[Mapping[str, NDArray[Any]]] = {}

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""
        return np.diff(self._ends(start, stop))

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return int(self._ends(column, column)[0])

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop), checked.

        Raises:
            FormatError: pointers or indices break spec §4 (RX4001 to RX4006).
        """
        ends = self._ends(start, stop)
        first = int(ends[0])
        indices = self.indices[first : int(ends[-1])]
        pointers = ends - first
        for finding in index_problems(self.shape[0], pointers, indices, offset=first):
            raise self._refuse(self.indices, finding)
        return Columns(pointers, indices.astype(index_dtype(self.shape[0])))

    def _ends(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return pointers `start` … `stop`, checked against each other and against nnz."""
        found = self.pointers[start : stop + 1]
        n_out = self.shape[1]
        sound = (
            (found[1:] >= found[:-1]).all()
            and found[-1] <= self.nnz
            and (start > 0 or found[0] == 0)
            and (stop < n_out or found[-1] == self.nnz)
        )
        if not sound:  # the whole array is read only to name the first bad place
            for finding in pointer_problems(self.shape, self.nnz, self.pointers[:]):
                raise self._refuse(self.pointers, finding)
        return found.astype(np.int64)

    @staticmethod
    def _refuse(array: StoredArray, finding: Finding) -> FormatError:
        return refuse(replace(finding, path=array.path), file=array.file)


class RowPattern(Pattern):
    """A pattern whose edges, and so its layer's values, stand in the file by rows."""

    __slots__ = ("rows",)

    def __init__(self, rows: StoredRows) -> None:
        super().__init__(rows)
        self.rows = rows


def narrowest(size: int) -> np.dtype[Any]:
    """Return the narrowest index type that counts `size` neurons."""
    return np.dtype("<u2" if size <= 2**16 else "<u4" if size <= 2**32 else "<u8")


class Explicit:
    """Reads and writes `explicit` patterns."""

    def accepts(self, pattern: Pattern) -> bool:  # noqa: ARG002  every pattern can be written out
        """Return True."""
        return True

    def encode(self, pattern: Pattern) -> Encoded:
        """Return pointers and indices, made block by block."""
        n_in, n_out = pattern.shape
        indices = (block.indices for _, _, block in pattern.blocks())
        members = {
            "pointers_to_1": Member(
                np.dtype("<u8"), n_out + 1, pointer_blocks(pattern), compress=True
            ),
            "indices_1": Member(narrowest(n_in), pattern.nnz, indices, compress=True),
        }
        return Encoded(members, {"format": "CSC"})

    def arrays_of(self, facts: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002
        """Pointers and indices."""
        return ("pointers_to_1", "indices_1")

    def decode(
        self,
        shape: tuple[int, int],
        nnz: int,
        arrays: Mapping[str, StoredArray],
        facts: Mapping[str, Any],
    ) -> Pattern:
        """Return a pattern that reads from the file."""
        pointers, indices = arrays["pointers_to_1"], arrays["indices_1"]
        path = indices.path.rpartition("/")[0]
        for finding in self._problems(shape, nnz, pointers, indices, facts):
            raise refuse(replace(finding, path=finding.path or path), file=indices.file)
        if facts["format"] == "CSR":
            return RowPattern(StoredRows(shape, nnz, pointers, indices))
        return Pattern(StoredColumns(shape, nnz, pointers, indices))

    def _problems(
        self,
        shape: tuple[int, int],
        nnz: int,
        pointers: StoredArray,
        indices: StoredArray,
        facts: Mapping[str, Any],
    ) -> Iterator[Finding]:
        """Yield what is wrong that can be seen without reading the arrays."""
        if facts.get("format") not in FORMATS:
            yield Finding(
                "RX2007",
                "unknown order of edges",
                "",
                pointer="/pattern/format",
                expected=" or ".join(FORMATS),
                actual=str(facts.get("format"))[:40],
            )
            return
        if nnz > EXPANSION_LIMIT:
            yield Finding(
                "RX3009",
                "more edges than an explicit layer may have",
                "",
                pointer="/nnz",
                expected=f"at most {EXPANSION_LIMIT}",
                actual=str(nnz),
            )
        n_index, n_pointer = shape if facts["format"] == "CSC" else shape[::-1]
        for array, types, length in (
            (pointers, ("uint64",), n_pointer + 1),
            (indices, ("uint16", "uint32", "uint64"), nnz),
        ):
            if array.dtype.name not in types:
                yield Finding(
                    "RX3007",
                    "a type that this array may not have",
                    array.path,
                    expected=" or ".join(types),
                    actual=array.dtype.name,
                )
            if array.shape != (length,):
                yield Finding(
                    "RX3005",
                    "wrong length",
                    array.path,
                    expected=str(length),
                    actual=str(array.shape),
                )
        if indices.dtype.kind == "u" and n_index - 1 > np.iinfo(indices.dtype).max:
            yield Finding(
                "RX3010",
                "the index type is too narrow",
                indices.path,
                expected=f"a type that holds {n_index - 1}",
                actual=indices.dtype.name,
            )


pattern_encoding("explicit")(Explicit())
