"""cupy's CSR product (cuSPARSE): a peer on GPUs to measure against. It has not run on one yet."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.samples import tiles
from radixfmt.backends.sparse_walk import check, transposed, walk
from radixfmt.errors import DeviceError, MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network


class CupySession:
    """CSR weights on the first GPU in float32.

    Args:
        network: of linear layers with weights and elementwise operators.

    Raises:
        DeviceError: there is no GPU.
        MissingDependencyError: cupy is not installed.
    """

    provider = "cupy CSR, cuda"

    def __init__(self, network: Network) -> None:
        try:
            cupy: Any = import_module("cupy")
            sparse: Any = import_module("cupyx.scipy.sparse")
        except ImportError:
            raise MissingDependencyError(
                "cupy is not installed", hint="pip install cupy-cuda13x"
            ) from None
        check(network)
        if not cupy.is_available():
            raise DeviceError("device cuda: cupy finds no GPU", hint="leave engine cupy-csr out")
        self._cupy, self._network = cupy, network
        made = (transposed(layer, np.dtype(np.float32)) for layer in network.layers)
        self._layers = [
            (sparse.csr_matrix(matrix), None if bias is None else cupy.asarray(bias))
            for matrix, bias in made
        ]

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs `[B, n_out]` of samples `[B, n_in]`, B ≥ 1, in one piece."""
        bound = self.bind(x, len(x))
        bound.run()
        return bound.outputs()

    def bind(self, x: NDArray[Any], tile: int) -> CupyBound:
        """Return samples `[B, n_in]` placed on the GPU once, for many runs without a copy."""
        return CupyBound(self, x, tile)

    def columns(self, x: Any) -> Any:
        """Return the outputs `[n_out, B]` of a cupy array `[n_in, B]`."""
        return walk(self._network, x, self._product)  # numpy's functions act on cupy's arrays

    def place(self, x: NDArray[Any]) -> Any:
        """Return an array on the GPU."""
        return self._cupy.asarray(np.ascontiguousarray(x, np.float32))

    def wait(self) -> None:
        """Wait until the GPU is done."""
        self._cupy.cuda.get_current_stream().synchronize()

    def _product(self, i: int, columns: Any) -> Any:
        matrix, bias = self._layers[i]
        made = matrix @ columns
        return made if bias is None else made + bias


class CupyBound:
    """Samples on the GPU, in tiles, and the outputs of the last run."""

    def __init__(self, session: CupySession, x: NDArray[Any], tile: int) -> None:
        self._session = session
        self._x = [session.place(x[slice(*ends)].T) for ends in tiles(len(x), tile)]
        self._y: list[Any] = []

    def run(self) -> None:
        """Compute, and wait until it is done."""
        self._y = [self._session.columns(x) for x in self._x]
        self._session.wait()

    def outputs(self) -> NDArray[Any]:
        """Return the outputs of the last run, `[B, n_out]` in float32."""
        return np.concatenate([y.T.get() for y in self._y])
