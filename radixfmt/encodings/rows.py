"""Explicit edges stored by input neuron (CSR): accepted from files, never written (spec §4).

Everything else asks by column, so such a layer is read whole and transposed when it is first used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from radixfmt.findings import refuse
from radixfmt.model.columns import ArrayColumns, Columns, index_dtype
from radixfmt.model.invariants import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from radixfmt.encodings import StoredArray
    from radixfmt.model.layer import Values


@dataclass(slots=True, eq=False)
class StoredRows:
    """The columns of edges that a file keeps by rows."""

    shape: tuple[int, int]
    nnz: int
    pointers: StoredArray
    indices: StoredArray
    record: ClassVar[None] = None
    arrays: ClassVar[Mapping[str, NDArray[Any]]] = {}
    _columns: ArrayColumns | None = None
    _order: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def fan_in(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the number of edges of each column in [start, stop)."""
        return self._transposed().fan_in(start, stop)

    def first_edge(self, column: int) -> int:
        """Return the number of edges of all columns before `column`."""
        return self._transposed().first_edge(column)

    def columns(self, start: int, stop: int) -> Columns:
        """Return the edges of the columns in [start, stop), all checked.

        Raises:
            FormatError: RX4001 to RX4006.
        """
        return self._transposed().columns(start, stop)

    @property
    def order(self) -> NDArray[np.int64]:
        """Where each edge, in canonical order, stands in the file: int64 `[nnz]`."""
        self._transposed()
        return self._order

    def _transposed(self) -> ArrayColumns:
        if self._columns is None:
            import scipy.sparse as sp

            n_in, n_out = self.shape
            pointers, indices = self.pointers[:], self.indices[:]
            for finding in problems((n_out, n_in), self.nnz, pointers, indices):
                path = f"{self.indices.path.rpartition('/')[0]}/{finding.path}"
                raise refuse(replace(finding, path=path), file=self.indices.file)
            rows = sp.csr_array(
                (np.arange(self.nnz), indices.astype(np.int64), pointers.astype(np.int64)),
                shape=self.shape,
            )
            turned = rows.tocsc()
            self._order = turned.data
            self._columns = ArrayColumns(
                self.shape,
                turned.indptr.astype(np.int64),
                turned.indices.astype(index_dtype(n_in), copy=False),
            )
        return self._columns


@dataclass(slots=True, eq=False)
class Reordered:
    """Values stored by rows, asked for in canonical order; read whole on first use."""

    values: Values
    rows: StoredRows
    _whole: NDArray[Any] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        return self.values.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """(nnz,)."""
        return self.values.shape

    def __getitem__(self, key: slice) -> NDArray[Any]:
        if self._whole is None:
            self._whole = self.values[:][self.rows.order]
        return self._whole[key]
