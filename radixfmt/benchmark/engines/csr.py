"""The usual sparse libraries: one CSR product per layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import TILE, Ready, Settings, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

CONFIGS = ({"tile": None}, {"tile": TILE})
"""The whole batch at once, or in tiles that stay in cache; the faster one counts."""


@engine("scipy", configs=CONFIGS)
def scipy(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return scipy's CSR, which works on one thread whatever it is given."""
    from radixfmt.backends.scipy import ScipySession

    with clock("build"):
        session = ScipySession(network, tile=config["tile"] or settings.batch)
    return Ready(session.run, session.provider, "csr")


@engine("torch-csr", configs=CONFIGS)
def torch(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return torch's CSR, MKL's on most builds."""
    from radixfmt.backends.torch import TorchSession

    with clock("build"):
        session = TorchSession(
            network, tile=config["tile"] or settings.batch, threads=settings.threads
        )
    return Ready(session.run, session.provider, "csr")
