"""Ways to express a layer in ONNX, one file each: a class without state, found by its name.

`@lowering(name, auto=True)` lets the planner choose it unasked; `compiled=True` does so where
compiled operators are known to run the model; without, it is used only by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.export.costs import Costs
    from radixfmt.export.graph import GraphBuilder, Tensor
    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern


class Setting(NamedTuple):
    """What a lowering is planned for.

    Attributes:
        batch: rows per run.
        target: "cpu" or "cuda".
        costs: speeds of that target.
        itemsize: bytes per weight in the model.
        others: further batches, where the batch is open: the worst ratio of all decides.
    """

    batch: int
    target: str
    costs: Costs
    itemsize: int
    others: tuple[int, ...] = ()


class Estimate(NamedTuple):
    """What a layer would cost.

    Attributes:
        seconds: per run of the setting's batch.
        weight_bytes: of the weights and the indices of rows in the model.
        why: what speaks for it, for a person.
        form: whatever the lowering wants handed back when it emits the layer.
        at: seconds of the same form at another batch; None where another estimate tells.
        turned: seconds at a batch where the input is feature-major; None where that is the same.
    """

    seconds: float
    weight_bytes: int
    why: str
    form: Any = None
    at: Callable[[int], float] | None = None
    turned: Callable[[int], float] | None = None


class Lowering(Protocol):
    """One way to express a linear layer whose input has rank 2."""

    layouts: frozenset[str]
    """Which of "batch-major" and "feature-major" its input may have."""

    def estimate(self, pattern: Pattern, setting: Setting) -> Estimate | None:
        """Return the cost for this pattern, or None where it cannot be expressed so."""

    def emit(self, graph: GraphBuilder, layer: Layer, form: Any, x: Tensor) -> Tensor:
        """Add the layer's nodes and return its result.

        Args:
            graph: takes nodes and constants, and knows the model's dtype and target.
            layer: with weights.
            form: of the estimate.
            x: the layer's input, in one of `layouts`; a feature-major one may hold its neurons in
                any order.
        """


lowering: Registry[Callable[[], Lowering]] = Registry("lowering", __name__)
