"""A stock onnxruntime: what somebody gets who has the exported model and no package of ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from radixfmt.benchmark.engines import Ready, Settings, engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.benchmark.clock import Clock
    from radixfmt.model.network import Network


def run(
    network: Network,
    settings: Settings,  # noqa: ARG001  options stay what they are by default, threads too
    config: Mapping[str, Any],  # noqa: ARG001  there is one
    clock: Clock,
    *,
    lowering: str,
) -> Ready:
    """Return an `InferenceSession` with default options on the CPU, which gets the whole batch.

    It uses every core, whatever number of threads it is given.
    """
    from radixfmt.backends.device import onnxruntime
    from radixfmt.export import export
    from radixfmt.export.save import readable

    with clock("lower"):
        exported = export(network, lowering=lowering)
    with clock("build"), readable(exported.model) as content:
        session = onnxruntime().InferenceSession(content, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    names = "+".join(sorted({choice.lowering for choice in exported.layers}))
    return Ready(lambda x: session.run(None, {name: x})[0], session.get_providers()[0], names)


for name in ("auto", "dense"):
    engine(f"stock-{name}", configs=({},))(partial(run, lowering=name))
