"""torch: its sparse and its dense product."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import TILE, Ready, Settings, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

CONFIGS = ({"tile": None}, {"tile": TILE}, {"tile": TILE // 4})

CUDA_CONFIGS = ({"tile": None}, {"tile": 16 * TILE})


def run(
    network: Network,
    settings: Settings,
    config: Mapping[str, Any],
    clock: Clock,
    *,
    form: str,
) -> Ready:
    """Return torch's product of one form, "csr" (MKL's on most builds, cuSPARSE's) or "dense"."""
    from radixfmt.backends.precision import FLOAT32, TF32
    from radixfmt.backends.torch import TorchSession

    tf32 = settings.precision == TF32
    with clock("build"):
        session = TorchSession(
            network,
            tile=config["tile"] or settings.batch,
            threads=settings.threads,
            device=settings.device,
            form=form,
            dtype=FLOAT32 if tf32 else settings.precision,
            tf32=tf32,
        )
    bind = session.bind if session.on_cuda else None
    return Ready(session.run, session.provider, form, bind)


for form in ("csr", "dense"):
    made = partial(run, form=form)
    engine(f"torch-{form}", configs=CONFIGS, cuda_configs=CUDA_CONFIGS)(made)
