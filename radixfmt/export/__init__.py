"""Export: a network becomes an ONNX model, each layer in the form that runs fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.export.exported import Choice, Exported
from radixfmt.export.exporter import export
from radixfmt.export.save import save

if TYPE_CHECKING:
    import onnx

    from radixfmt.export.costs import Costs
    from radixfmt.model.network import Network

__all__ = ["Choice", "Exported", "export", "save", "to_onnx"]


def to_onnx(
    network: Network,
    *,
    lowering: str = "auto",
    target: str = "cpu",
    batch: int | None = None,
    layout: str = "batch-major",
    allow_dense: bool = False,
    costs: Costs | None = None,
) -> onnx.ModelProto:
    """Return `network` as an ONNX model (opset 21, IR 10).

    It is of standard operators; those of the lowering "native" are defined by such ones in it.

    Args:
        network: with weights.
        lowering: "auto" for the cheapest of each layer, or a registered name for all of them.
        target: "cpu" or "cuda": what the model will run on.
        batch: rows of every run, or None to leave the batch open.
        layout: "batch-major", [B, n] → [B, m], or "feature-major", [n, B] → [m, B].
        allow_dense: let what a runtime makes dense when it loads the model be as large as it likes.
        costs: what work costs where the model will run; None for the target's built-in ones.

    Raises:
        ParameterError: `target`, `batch` or `layout` is none of these.
        UnknownNameError: no such lowering.
        UnsupportedError: the network or a layer cannot be exported; the message says which.
    """
    return export(
        network,
        lowering=lowering,
        target=target,
        batch=batch,
        layout=layout,
        allow_dense=allow_dense,
        costs=costs,
    ).model
