"""`matrix-market`: one layer as a MatrixMarket file; entry (i, j) is the edge from i to j."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from radixfmt.converters import converter, only_layer
from radixfmt.errors import InputError
from radixfmt.files import replacing
from radixfmt.model.entries import LARGEST_SIDE, widened
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.network import Network, chain
from radixfmt.model.pattern import Pattern

if TYPE_CHECKING:
    from pathlib import Path

    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.model.digest import NetworkDigests


class MatrixMarket:
    """Reads and writes single layers through scipy.

    Fields become: `pattern` topology only; `real` and `integer` float32 where that is exact, else
    float64. Symmetric files are expanded. Zeros of an `array` file are no edges.
    """

    suffixes = (".mtx",)
    read_options = ()
    options = ()

    def read(self, path: Path) -> tuple[Network, list[str]]:
        """Return the layer as a network of one.

        Raises:
            InputError: scipy cannot read the file, complex values, or an edge given twice.
        """
        matrix, field, notes = read_matrix(path)
        weights: Any = None
        if field != "pattern":
            double = matrix.data.astype(np.float64)
            with np.errstate(over="ignore"):  # infinite in float32: then it is not exact
                single = double.astype(np.float32)
            exact = np.array_equal(single.astype(np.float64), double, equal_nan=True)
            weights = single if exact else double
            if matrix.data.dtype.kind in "iu" and _rounded(matrix.data):
                notes.append("integers beyond 2^53 were rounded to float64")
        layer = Layer("layer0", Pattern.from_scipy(matrix), weights)
        return chain([layer], metadata=Metadata(name=path.name)), notes

    def write(
        self,
        path: Path,
        network: Network,
        *,
        overwrite: bool,
        options: dict[str, Any],  # noqa: ARG002  this format has none
    ) -> tuple[list[str], NetworkDigests | None]:
        """Write the one layer of `network`.

        Raises:
            UnsupportedError: several layers, or a conv layer.
        """
        import scipy.io

        layer = only_layer(network, "matrix-market")
        layer, losses = widened(layer)
        losses = ["names and metadata", "the graph: activations", *losses]
        matrix = layer.pattern.to_scipy(layer.weights)
        field: Literal["pattern", "real", "integer"] = "pattern"
        if layer.dtype is not None:
            field = "real" if layer.dtype.kind == "f" else "integer"
        with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
            scipy.io.mmwrite(stream, matrix, field=field, symmetry="general")
        if field == "integer":
            losses.append(f"weight type {layer.dtype} (read back as a float)")
        return losses + (["biases"] if layer.bias is not None else []), None


def _rounded(integers: NDArray[np.integer[Any]]) -> bool:
    """Return whether float64 does not hold some of the integers."""
    large = np.abs(integers.astype(np.float64)) >= 2**53
    return any(int(value) != int(float(value)) for value in integers[large].tolist())


def read_matrix(path: Path) -> tuple[sp.csc_array, str, list[str]]:
    """Return a MatrixMarket file as a sorted CSC matrix, its field, and what was read into it.

    Raises:
        InputError: scipy cannot read the file, complex values, or an entry given twice.
    """
    import scipy.io
    import scipy.sparse as sp

    try:
        rows, columns, entries, kind, field, _ = scipy.io.mminfo(path)
        fits = entries <= path.stat().st_size and max(rows, columns) <= LARGEST_SIDE
        found = scipy.io.mmread(path, spmatrix=False) if fits else None
    except (ValueError, OverflowError, OSError, EOFError, MemoryError) as error:
        raise InputError(f"{path}: expected a MatrixMarket file: {error}") from None
    if found is None:
        raise InputError(
            f"{path}: declares {rows} by {columns} with {entries} entries, more than the file can "
            f"hold or than {LARGEST_SIDE} a side"
        )
    if field == "complex":
        raise InputError(f"{path}: expected real, integer or pattern values, got complex")
    if kind == "coordinate":
        triples = sp.coo_array(found)
        matrix = triples.tocsc()
        matrix.sum_duplicates()
        if matrix.nnz != triples.nnz:
            raise InputError(
                f"{path}: expected every entry once, got {triples.nnz - matrix.nnz} repeated"
            )
        return matrix, field, []
    return sp.csc_array(found), field, ["zeros of the dense file became absent edges"]


converter("matrix-market")(MatrixMarket())
