"""ONNX Runtime: as `Session` runs a network, and with one lowering for all layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import TILE, Ready, Settings, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

BATCH_MAJOR, FEATURE_MAJOR = "batch-major", "feature-major"

DENSE_CONFIGS = (
    {"layout": BATCH_MAJOR, "tile": None},
    {"layout": BATCH_MAJOR, "tile": TILE},
    {"layout": BATCH_MAJOR, "tile": 4 * TILE},  # a few percent faster on some machines
    {"layout": FEATURE_MAJOR, "tile": None},
    {"layout": FEATURE_MAJOR, "tile": TILE},
)


@engine("ort-auto", configs=({},))
def auto(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return what a user of `Session` gets: the planner's lowerings, the Session's tile."""
    return _ready(network, settings, clock, lowering="auto", **config)


@engine("ort-blocked", configs=({},))
def blocked(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return every layer as gathered blocks, whatever the planner thinks of that."""
    return _ready(network, settings, clock, lowering="blocked", **config)


@engine("ort-dense", configs=DENSE_CONFIGS)
def dense(network: Network, settings: Settings, config: Mapping[str, Any], clock: Clock) -> Ready:
    """Return the model one would run without sparsity, in its faster layout, tiled or not."""
    return _ready(network, settings, clock, lowering="dense", **config)


def _ready(
    network: Network,
    settings: Settings,
    clock: Clock,
    *,
    lowering: str,
    layout: str = BATCH_MAJOR,
    **tiling: int | None,
) -> Ready:
    """Return a session; a `tile` of None is the whole batch, none given is the Session's own."""
    from radixfmt.backends.device import resolve
    from radixfmt.backends.ort import Session
    from radixfmt.export import export

    with clock("lower"):
        target = resolve(settings.device)
        exported = export(network, lowering=lowering, target=target, layout=layout)
    with clock("build"):
        session = Session(
            exported.model,
            device=settings.device,
            threads=settings.threads,
            tile=(tiling["tile"] or settings.batch) if tiling else None,
        )
    names = "+".join(sorted({choice.lowering for choice in exported.layers}))
    if layout == FEATURE_MAJOR:
        return Ready(lambda x: session.run(x.T).T, session.provider, names)
    return Ready(session.run, session.provider, names)
