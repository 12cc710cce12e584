"""scipy's CSR product: the float64 reference, and a peer in float32 to measure against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from radixfmt.backends import backend
from radixfmt.backends.evaluator import evaluate
from radixfmt.backends.samples import checked, tiles
from radixfmt.backends.sparse_walk import check, transposed, walk
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.export.tiled import MOST, tile_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network


def reference(network: Network, x: Any) -> NDArray[np.float64]:
    """Return the outputs in float64, the yardstick of every other way to run a network.

    One layer is in memory at a time. Nodes that are neither layers nor act on each element alone
    are run by onnx's own reference (see `evaluate`, which also takes several inputs).

    Args:
        network: with weights, one input and one output.
        x: `[B, n_in]`, or whatever shape the input has; real numbers.

    Returns:
        float64 `[B, n_out]`, or whatever the output is.

    Raises:
        InputError: samples of another shape.
        UnsupportedError: a layer without weights, several inputs or outputs, or what onnx's
            reference cannot do.
    """
    try:
        check(network)
    except UnsupportedError:  # no chain
        if len(network.inputs) != 1 or len(network.outputs) != 1:
            raise
        made = evaluate(network, {network.inputs[0].name: x})
        return np.asarray(made[network.outputs[0].name], np.float64)
    dtype = np.dtype(np.float64)
    samples = checked(x, width(network), dtype)

    def product(i: int, columns: NDArray[Any]) -> NDArray[Any]:
        matrix, bias = transposed(network.layers[i], dtype)
        made = np.empty((matrix.shape[0], columns.shape[1]), dtype)
        for start, stop in tiles(columns.shape[1], MOST):
            made[:, start:stop] = matrix @ columns[:, start:stop]
        return made if bias is None else np.add(made, bias, out=made)

    columns: NDArray[np.float64] = walk(network, samples.T, product)
    return np.ascontiguousarray(columns.T)


@backend("scipy")
class ScipySession:
    """CSR weights built once; the batch runs in tiles that stay in cache, as everyone's does.

    Args:
        network: of linear layers with weights and elementwise operators.
        tile: samples per tile; None for the default that `Session` has too.
        dtype: of weights and activations.
    """

    provider = "scipy CSR"

    def __init__(
        self, network: Network, *, tile: int | None = None, dtype: str = "float32"
    ) -> None:
        check(network)
        self._network = network
        self._tile = tile or tile_for(width(network) or 1)
        self._closed = False
        self._dtype = np.dtype(dtype)
        self._layers = [transposed(layer, self._dtype) for layer in network.layers]

    def run(self, x: Any) -> NDArray[Any]:
        """Return the outputs `[B, n_out]` of samples `[B, n_in]`.

        Raises:
            InputError: samples of another shape.
            ParameterError: the session is closed.
        """
        if self._closed:
            raise ParameterError("session: it is closed; expected an open one")
        samples = checked(x, width(self._network), self._dtype)
        rows = samples.shape[0]
        y: NDArray[Any] | None = None
        for start, stop in tiles(rows, self._tile) if rows else [(0, 0)]:
            columns = np.ascontiguousarray(samples[start:stop].T)
            made = self._walk(columns).T
            y = np.empty((rows, made.shape[1]), self._dtype) if y is None else y
            y[start:stop] = made
        assert y is not None  # noqa: S101  there is at least one tile
        return y

    def _walk(self, columns: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs `[n_out, B]` of one tile."""
        made: NDArray[Any] = walk(self._network, columns, self._product)
        return made

    def _product(self, i: int, columns: NDArray[Any]) -> NDArray[Any]:
        matrix, bias = self._layers[i]
        made: NDArray[Any] = matrix @ columns
        return made if bias is None else np.add(made, bias, out=made)

    def close(self) -> None:
        """Let go of the weights."""
        self._layers = []
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def width(network: Network) -> int | None:
    """Return n_in, from the layer that reads the input where the input itself leaves it open."""
    value = network.inputs[0]
    if isinstance(value.shape[-1], int):
        return value.shape[-1]
    readers = (n.layer for n in network.graph if n.layer is not None and value.name in n.inputs)
    return next((network.headers[i][1][0] for i in readers), None)
