"""The usual sparse libraries: one CSR product per layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import TILE, Ready, Settings, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

CONFIGS = ({"tile": None}, {"tile": TILE}, {"tile": TILE // 4})
"""The whole batch at once, or in tiles that stay in cache; the faster one counts."""

CUDA_CONFIGS = ({"tile": None}, {"tile": 16 * TILE})


@engine("scipy", configs=CONFIGS)
def scipy(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return scipy's CSR, which works on one thread whatever it is given."""
    from radixfmt.backends.scipy import ScipySession

    with clock("build"):
        session = ScipySession(network, tile=config["tile"] or settings.batch)
    return Ready(session.run, session.provider, "csr")


@engine("cupy-csr", configs=CUDA_CONFIGS)
def cupy(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return cupy's CSR, cuSPARSE's, on the first GPU."""
    from radixfmt.backends.cupy import CupySession

    tile = config["tile"] or settings.batch
    with clock("build"):
        session = CupySession(network)
    return Ready(session.run, session.provider, "csr", lambda x: session.bind(x, tile))


@engine("ort-sparse-to-dense-matmul", configs=CONFIGS)
def sparse_to_dense(
    network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock
) -> Ready:
    """Return ONNX Runtime's own sparse operator, which works on one CPU thread."""
    from radixfmt.backends.sparse_to_dense import SparseToDenseSession

    with clock("build"):
        session = SparseToDenseSession(network, tile=config["tile"] or settings.batch)
    return Ready(session.run, session.provider, "SparseToDenseMatMul")
