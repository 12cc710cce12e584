"""ONNX Runtime: as `Session` runs a network, and with each lowering for all layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import TILE, Ready, Settings, engine
from radixfmt.export.lowerings import lowering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

BATCH_MAJOR, FEATURE_MAJOR = "batch-major", "feature-major"

DENSE = (
    {"layout": BATCH_MAJOR, "tile": None},
    {"layout": BATCH_MAJOR, "tile": TILE},
    {"layout": BATCH_MAJOR, "tile": 4 * TILE},  # a few percent faster on some machines
    {"layout": FEATURE_MAJOR, "tile": None},
    {"layout": FEATURE_MAJOR, "tile": TILE},
)
"""The dense model in its faster layout, tiled or not; the others run as a Session runs them."""

CUDA: tuple[dict[str, Any], ...] = ({}, {"tile": None}, {"cuda_graph": True})
"""The Session's tile, the whole batch at once, and recorded kernels in place of launches."""


def run(
    network: Network,
    settings: Settings,
    config: Mapping[str, Any],
    clock: Clock,
    *,
    lowering: str,
    compiled: bool = False,
) -> Ready:
    """Return a session, its layers all of one lowering or, of "auto", as it is exported.

    `compiled` lets "auto" choose compiled operators, as a Session does that is given a network.

    A `tile` of None is the whole batch, none given is the Session's own.
    """
    from radixfmt.backends.device import resolve
    from radixfmt.backends.ort import Session
    from radixfmt.backends.precision import narrowed
    from radixfmt.backends.runtime import has_kernels
    from radixfmt.export import export

    layout = config.get("layout", BATCH_MAJOR)
    target = resolve(settings.device)
    with clock("lower"):
        exported = export(
            network,
            lowering=lowering,
            target=target,
            layout=layout,
            compiled=compiled and has_kernels(target),
            allow_dense=(compiled or lowering == "native") and has_kernels(target),
        )
        model = narrowed(exported.model, settings.precision)
    with clock("build"):
        session = Session(
            model,
            device=settings.device,
            threads=settings.threads,
            tile=(config["tile"] or settings.batch) if "tile" in config else None,
            precision=settings.precision,
            cuda_graph=config.get("cuda_graph", False),
        )
    names = "+".join(sorted({choice.lowering for choice in exported.layers}))
    bind = session.bind if target == "cuda" else None
    if layout == FEATURE_MAJOR:
        turned = lambda x: session.run(x.T).T  # noqa: E731
        return Ready(turned, session.provider, names, None, session.placement)
    return Ready(session.run, session.provider, names, bind, session.placement)


engine("ort-session", configs=({},), cuda_configs=CUDA)(
    partial(run, lowering="auto", compiled=True)
)
for name in ("auto", *lowering):
    configs = DENSE if name == "dense" else ({},)
    engine(f"ort-{name}", configs=configs, cuda_configs=CUDA)(partial(run, lowering=name))
