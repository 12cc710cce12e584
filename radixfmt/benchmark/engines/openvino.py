"""OpenVINO on the models that are exported here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import TILE, Ready, Settings, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network

DENSE = ({"target": "cpu", "tile": None}, {"target": "cpu", "tile": TILE})

AUTO = (
    {"target": "cpu", "tile": None},
    {"target": "cpu", "tile": TILE},
    {"target": "cuda", "tile": None},
    {"target": "cuda", "tile": TILE // 2},
)
"""Grouped convolutions as for onnxruntime's CPU, or the batched MatMuls that it likes better."""


def run(
    network: Network,
    settings: Settings,
    config: Mapping[str, Any],
    clock: Clock,
    *,
    lowering: str,
) -> Ready:
    """Return OpenVINO on its CPU plugin, with the planner's lowerings or one for all layers."""
    from radixfmt.backends.openvino import OpenVinoSession
    from radixfmt.export import export

    with clock("lower"):
        exported = export(network, lowering=lowering, target=config["target"])
    with clock("build"):
        tile = config["tile"] or settings.batch
        session = OpenVinoSession(exported.model, tile=tile, threads=settings.threads)
    names = "+".join(sorted({choice.lowering for choice in exported.layers}))
    return Ready(session.run, session.provider, names)


engine("openvino", configs=AUTO)(partial(run, lowering="auto"))
engine("openvino-dense", configs=DENSE)(partial(run, lowering="dense"))
