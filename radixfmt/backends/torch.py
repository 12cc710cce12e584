"""torch's sparse and dense products, on a CPU or a GPU: peers to measure against."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends import backend
from radixfmt.backends.device import DEVICES, cuda_problem
from radixfmt.backends.samples import tiles
from radixfmt.backends.scipy import ScipySession
from radixfmt.backends.sparse_walk import walk
from radixfmt.errors import DeviceError, MissingDependencyError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from radixfmt.model.graph import Node
    from radixfmt.model.network import Network

FORMS = ("csr", "dense")


@backend("torch")
class TorchSession(ScipySession):
    """As `ScipySession`, with torch's product in place of scipy's; `[n, B]` inside.

    CSR products are MKL's on most CPU builds and cuSPARSE's on CUDA, where nothing of this has run
    yet.

    Args:
        network: of linear layers with weights and elementwise operators.
        tile: samples per tile; None for the default that `Session` has too.
        threads: of torch, which sets them for the whole process; None leaves them.
        device: "cpu" or "cuda".
        form: "csr" or "dense".
        dtype: of weights and activations: "float32", "float16" or "bfloat16".
        tf32: let CUDA round the inputs of dense products to 10 bits of mantissa.

    Attributes:
        provider: what runs it, and where.
        on_cuda: whether that is a GPU.

    Raises:
        DeviceError: there is no such device.
        MissingDependencyError: torch is not installed.
    """

    def __init__(
        self,
        network: Network,
        *,
        tile: int | None = None,
        threads: int | None = None,
        device: str = "cpu",
        form: str = "csr",
        dtype: str = "float32",
        tf32: bool = False,
    ) -> None:
        try:
            import torch
        except ImportError:
            raise MissingDependencyError(
                "torch is not installed", hint="pip install 'radixfmt[torch]'"
            ) from None
        if form not in FORMS:
            raise ParameterError(f"form: expected {' or '.join(FORMS)}, got {form!r}")
        self._device = torch.device(_device(device))
        super().__init__(network, tile=tile)
        if threads is not None:
            torch.set_num_threads(threads)
        torch.backends.cuda.matmul.allow_tf32 = tf32
        self.on_cuda = self._device.type == "cuda"
        self.provider = f"torch {form}, {self._device}"
        self._kind = getattr(torch, dtype)
        self._weights = [
            (self._matrix(matrix, form), None if bias is None else self._tensor(bias))
            for matrix, bias in self._layers
        ]
        self._layers = []

    def run(self, x: Any) -> NDArray[Any]:
        """Return the outputs `[B, n_out]` of samples `[B, n_in]`, in float32.

        Raises:
            InputError: samples of another shape.
            ParameterError: the session is closed.
        """
        import torch

        with torch.inference_mode():
            return super().run(x)

    def _walk(self, columns: NDArray[Any]) -> NDArray[Any]:
        made: NDArray[Any] = self.columns(self._tensor(columns)).float().cpu().numpy()
        return made

    def bind(self, x: NDArray[Any]) -> TorchBound:
        """Return samples `[B, n_in]` placed on the device once, for many runs without a copy."""
        return TorchBound(self, x, self._tile)

    def columns(self, x: Any) -> Any:
        """Return the outputs, a tensor `[n_out, B]`, of one `[n_in, B]` on the device."""
        return walk(self._network, x, self._applied, _activated)

    def _applied(self, i: int, x: Any) -> Any:
        weight, bias = self._weights[i]
        made = weight @ x
        return made if bias is None else made.add_(bias)

    def _tensor(self, array: NDArray[Any]) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device, self._kind)

    def _matrix(self, matrix: Any, form: str) -> Any:
        import torch

        if form == "dense":
            return self._tensor(matrix.toarray())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "CSR support is in beta state"
            return torch.sparse_csr_tensor(
                torch.from_numpy(matrix.indptr.astype(np.int64)),
                torch.from_numpy(matrix.indices.astype(np.int64)),
                torch.from_numpy(matrix.data).to(self._kind),
                matrix.shape,
            ).to(self._device)

    def close(self) -> None:
        """Let go of the weights."""
        self._weights = []
        super().close()


class TorchBound:
    """Samples on a session's device, in tiles, and the outputs of the last run.

    Args:
        session: what runs them.
        x: samples `[B, n_in]`, B ≥ 1.
        tile: samples per tile.
    """

    def __init__(self, session: TorchSession, x: NDArray[Any], tile: int) -> None:
        self._session = session
        self._x = [session._tensor(x[slice(*ends)].T) for ends in tiles(len(x), tile)]  # noqa: SLF001  its own helper
        self._y: list[Any] = []

    def run(self) -> None:
        """Compute, and wait until it is done."""
        import torch

        with torch.inference_mode():
            self._y = [self._session.columns(x) for x in self._x]
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def outputs(self) -> NDArray[Any]:
        """Return the outputs of the last run, `[B, n_out]` in float32."""
        return np.concatenate([y.float().T.cpu().numpy() for y in self._y])


def _device(device: str) -> str:
    """Return torch's name of a device that is there."""
    import torch

    if device not in DEVICES:
        raise ParameterError(f"device: expected {', '.join(DEVICES)}, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"device cuda: {cuda_problem() or 'this build of torch has no CUDA'}",
            hint="use --device cpu",
        )
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _activated(node: Node, x: Any, tensors: Mapping[str, NDArray[Any]], last: bool) -> Any:
    """Return an elementwise operator applied to a tensor."""
    import torch

    from radixfmt.nn.operators import run

    bounds = [torch.as_tensor(tensors[name]) if name else None for name in node.inputs[1:]]
    if node.op == "Relu" and last:
        return x.relu_()
    if node.op == "Clip" and last:
        low, high = (*(None if b is None else float(b) for b in bounds), None, None)[:2]
        return x.clamp_(low, high) if bounds.count(None) < len(bounds) else x
    placed = [b if b is None else b.to(x.device, x.dtype) for b in bounds]
    return run(node, [x, *placed], training=False)[0]
