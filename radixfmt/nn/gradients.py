"""Gradients of all cells of sparse layers, edges or not: what RigL grows by."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from radixfmt.nn.conv import SparseConv
from radixfmt.nn.edges import edged
from radixfmt.nn.linear import SparseLinear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def dense_gradients(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Collect, in the passes run inside the block, the gradients of whole weight matrices.

    Each takes as much memory as the dense weight: use it for the step before edges move.

        with dense_gradients(model) as gradients:
            loss(model(x), y).backward()
        rigl_(model, gradients, fraction=drop_fraction(step, end=steps))

    Args:
        module: with sparse or masked layers.

    Yields:
        layer name → gradient `[n_out, n_in]`, summed over all passes.

    Raises:
        ParameterError: the module has no sparse layers.
    """
    found: dict[str, Tensor] = {}
    handles = []
    for name in edged(module):
        layer = module.get_submodule(name)
        handles.append(layer.register_forward_hook(_watch(name, found)))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _watch(name: str, found: dict[str, Tensor]) -> Callable[..., None]:
    """Return the forward hook that adds up a layer's gradient when the backward pass comes by."""

    def after(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x = inputs[0].detach()

        def collect(gradient: Tensor) -> None:
            made = _weight_gradient(layer, x, gradient.detach())
            found[name] = found[name] + made if name in found else made

        if output.requires_grad:
            cast("Any", output).register_hook(collect)

    return after


def _weight_gradient(layer: Any, x: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient of the dense weight, `[n_out, n_in]`, from a pass of one layer."""
    if isinstance(layer, SparseLinear | nn.Linear):
        n_out, n_in = layer.out_features, layer.in_features
        rows = gradient.reshape(-1, n_out)
        return rows.T @ x.reshape(-1, n_in).to(rows.dtype)
    sparse = isinstance(layer, SparseConv)
    shape = layer.weight_shape if sparse else layer.weight.shape
    convolve = layer.convolve if sparse else layer._conv_forward  # noqa: SLF001  knows its padding
    weight = torch.zeros(shape, dtype=gradient.dtype, device=gradient.device, requires_grad=True)
    with torch.enable_grad():
        made = convolve(x.to(gradient.dtype), weight, None)
    (found,) = torch.autograd.grad(made, weight, gradient)
    return found.flatten(1)
