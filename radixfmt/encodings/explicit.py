"""`explicit`: column pointers and input indices, as Binsparse's CSC (spec §4).

`pointers_to_1` is u64 `[n_out + 1]`; `indices_1` is u32 `[nnz]`, u64 from 2^31 inputs. A lazily
read pattern checks its pointers when it is first used and every run of indices as it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.encodings import Encoded, Member, pattern_encoding
from radixfmt.findings import Finding, refuse
from radixfmt.model.columns import Columns, index_dtype
from radixfmt.model.invariants import index_problems, pointer_problems
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from radixfmt.encodings import StoredArray
    from radixfmt.errors import FormatError

BLOCK = 1 << 20


@dataclass(slots=True, eq=False)
class StoredColumns:
    """Edges in a file, read by column range."""

    shape: tuple[int, int]
    nnz: int
    pointers: StoredArray
    indices: StoredArray
    record: None = None
    _indptr: NDArray[np.int64] | None = field(default=None)

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""
        return np.diff(self.indptr[start : stop + 1])

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return int(self.indptr[column])

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop), checked.

        Raises:
            FormatError: an index out of range or out of order (RX4004 to RX4006).
        """
        ends = self.indptr[start : stop + 1]
        first = int(ends[0])
        indices = self.indices[first : int(ends[-1])]
        pointers = ends - first
        for finding in index_problems(self.shape[0], pointers, indices, offset=first):
            raise self._refuse(self.indices, finding)
        return Columns(pointers, indices.astype(index_dtype(self.shape[0])))

    @property
    def indptr(self) -> NDArray[np.int64]:
        """All pointers, read and checked once."""
        if self._indptr is None:
            pointers = self.pointers[:]
            for finding in pointer_problems(self.shape, self.nnz, pointers):
                raise self._refuse(self.pointers, finding)
            self._indptr = pointers.astype(np.int64)
        return self._indptr

    @staticmethod
    def _refuse(array: StoredArray, finding: Finding) -> FormatError:
        return refuse(replace(finding, path=array.path), file=array.file)


@dataclass(frozen=True, slots=True)
class Blocks(Iterable["NDArray[Any]"]):
    """Blocks that can be walked more than once."""

    make: Callable[[], Iterator[NDArray[Any]]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return self.make()


class Explicit:
    """Reads and writes `explicit` patterns."""

    arrays = ("pointers_to_1", "indices_1")

    def accepts(self, pattern: Pattern) -> bool:  # noqa: ARG002  every pattern can be written out
        """Return True."""
        return True

    def encode(self, pattern: Pattern) -> Encoded:
        """Return pointers and indices, made block by block."""
        n_in, n_out = pattern.shape
        width = np.dtype("<u4" if n_in < 2**31 else "<u8")

        def pointers() -> Iterator[NDArray[Any]]:
            last = np.zeros(1, np.int64)
            yield last.astype("<u8")
            for start in range(0, n_out, BLOCK):
                ends = last[-1] + np.cumsum(pattern.fan_in(start, min(start + BLOCK, n_out)))
                yield ends.astype("<u8")
                last = ends

        def indices() -> Iterator[NDArray[Any]]:
            return (block.indices.astype(width) for _, _, block in pattern.blocks())

        members = {
            "pointers_to_1": Member(np.dtype("<u8"), n_out + 1, Blocks(pointers), compress=True),
            "indices_1": Member(width, pattern.nnz, Blocks(indices), compress=True),
        }
        return Encoded(members, {"format": "CSC"})

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
        if facts.get("format") != "CSC":
            yield Finding(
                "RX3002",
                "unknown order of edges",
                "",
                pointer="/pattern/format",
                expected="CSC",
                actual=str(facts.get("format")),
            )
        for array, types, length in (
            (pointers, ("uint64",), shape[1] + 1),
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
                    actual=str(array.shape[0]),
                )


pattern_encoding("explicit")(Explicit())
