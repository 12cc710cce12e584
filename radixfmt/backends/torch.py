"""torch's CSR product (MKL on most builds): a peer to measure against."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends import backend
from radixfmt.backends.scipy import ScipySession
from radixfmt.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network


@backend("torch")
class TorchSession(ScipySession):
    """As `ScipySession`, with torch's sparse product in place of scipy's.

    Args:
        network: of linear layers with weights and elementwise operators.
        tile: samples per tile; None for the default that `Session` has too.
        threads: of torch, which sets them for the whole process; None leaves them.

    Raises:
        MissingDependencyError: torch is not installed.
    """

    provider = "torch CSR"

    def __init__(
        self, network: Network, *, tile: int | None = None, threads: int | None = None
    ) -> None:
        try:
            import torch
        except ImportError:
            raise MissingDependencyError(
                "torch is not installed", hint="pip install 'radixfmt[torch]'"
            ) from None
        super().__init__(network, tile=tile)
        if threads is not None:
            torch.set_num_threads(threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "CSR support is in beta state"
            self._sparse = [
                torch.sparse_csr_tensor(
                    torch.from_numpy(matrix.indptr.astype(np.int64)),
                    torch.from_numpy(matrix.indices.astype(np.int64)),
                    torch.from_numpy(matrix.data),
                    matrix.shape,
                )
                for matrix, _ in self._layers
            ]

    def _product(self, i: int, columns: NDArray[Any]) -> NDArray[Any]:
        import torch

        bias = self._layers[i][1]
        made: NDArray[Any] = (self._sparse[i] @ torch.from_numpy(columns)).numpy()
        return made if bias is None else np.add(made, bias, out=made)
