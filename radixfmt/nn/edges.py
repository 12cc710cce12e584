"""All edges of a module's sparse layers, as a network and back.

What changes edges or draws weights is defined once, on networks; modules borrow it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from radixfmt.errors import ParameterError
from radixfmt.model.graph import Node, Value
from radixfmt.model.layer import Layer
from radixfmt.model.network import Network
from radixfmt.nn.cells import flat_cells
from radixfmt.nn.masks import MaskedWeight, mask_of
from radixfmt.nn.sparse import SparseModule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from radixfmt.model.pattern import Pattern


class Edged(Protocol):
    """A layer's edges and weights: a `SparseModule`, or a mask on a dense layer."""

    @property
    def pattern(self) -> Pattern:
        """Return the edges."""

    @property
    def parameter(self) -> nn.Parameter:
        """Return what an optimizer trains: `[nnz]` or dense."""

    def values(self) -> Tensor:
        """Return the weights `[nnz]` without their history."""

    def set_edges(self, pattern: Pattern, weights: Tensor) -> None:
        """Replace edges and weights."""


def edged(module: nn.Module) -> dict[str, Edged]:
    """Return the module's sparse and masked layers by name, each once, in the module's order.

    Raises:
        ParameterError: there are none.
    """
    found: dict[str, Edged] = {}
    for name, layer in module.named_modules():
        mask = mask_of(layer)
        if isinstance(layer, SparseModule):
            found[name] = layer
        elif mask is not None:
            found[name] = MaskedWeight(layer, mask)
    if not found:
        raise ParameterError(
            f"{type(module).__name__}: expected sparse or masked layers, found none",
            hint="use SparseLinear, or mask dense layers: radixfmt.nn.apply(module, net)",
        )
    return found


def as_network(layers: Mapping[str, Edged]) -> Network:
    """Return a network of these layers side by side, each a matrix, weights in float32 or more."""
    made = [Layer(name, layer.pattern, numpy_of(layer.values())) for name, layer in layers.items()]
    shapes = [layer.pattern.shape for layer in made]
    return Network(
        made,
        tuple(Node("SparseLinear", (f"x{i}",), (f"y{i}",), layer=i) for i in range(len(made))),
        tuple(Value(f"x{i}", ("B", n_in)) for i, (n_in, _) in enumerate(shapes)),
        tuple(Value(f"y{i}", ("B", n_out)) for i, (_, n_out) in enumerate(shapes)),
    )


def take(layers: Mapping[str, Edged], network: Network, optimizer: Optimizer | None = None) -> None:
    """Give the layers the edges and weights of the network's layers, in their order.

    Args:
        layers: to change.
        network: with weights.
        optimizer: whose state follows the edges; what it knows of new ones is zero.
    """
    for old, new in zip(layers.values(), network.layers, strict=True):
        before = old.pattern
        weights = np.broadcast_to(np.asarray(new.weights), (new.pattern.nnz,))
        was = old.parameter.shape
        old.set_edges(new.pattern, torch.tensor(weights))
        if optimizer is not None:
            _carry(optimizer, old.parameter, was, flat_cells(before), flat_cells(new.pattern))


def numpy_of(values: Tensor) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a tensor as a numpy array of its own; bfloat16, which numpy lacks, as float32."""
    detached = values.detach().cpu()
    detached = detached.float() if detached.dtype == torch.bfloat16 else detached
    return np.array(detached.numpy())


def _carry(
    optimizer: Optimizer,
    parameter: nn.Parameter,
    was: torch.Size,
    before: np.ndarray[Any, np.dtype[np.int64]],
    after: np.ndarray[Any, np.dtype[np.int64]],
) -> None:
    """Move what the optimizer keeps of each edge; cells are ascending."""
    state = optimizer.state.get(parameter, {})
    common, old, new = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    fresh = np.setdiff1d(after, common, assume_unique=True)
    for name, kept in state.items():
        if not isinstance(kept, torch.Tensor) or kept.shape != was or kept.dim() == 0:
            continue
        if kept.dim() == 1:
            moved = kept.new_zeros(len(after))
            moved[torch.from_numpy(new)] = kept[torch.from_numpy(old)]
            state[name] = moved
        else:
            kept.view(-1)[torch.from_numpy(fresh)] = 0
