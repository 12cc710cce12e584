"""What an export hands back: the model and why each layer looks as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import onnx


class Choice(NamedTuple):
    """How one layer was lowered.

    Attributes:
        name: of the layer.
        lowering: registered name of the lowering.
        why: the reason, for a person.
    """

    name: str
    lowering: str
    why: str


class Exported(NamedTuple):
    """A finished export.

    Attributes:
        model: the ONNX model.
        layers: one choice per layer, in the network's order.
    """

    model: onnx.ModelProto
    layers: tuple[Choice, ...]
