"""x·W with a backward pass that keeps only x."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from radixfmt.nn.kernels import Kernel


class SparseProduct(torch.autograd.Function):
    """`SparseProduct.apply(x, weights, kernel)`: x `[B, n_in]` times W, `[B, n_out]`.

    Whatever a kernel gathers or fills is made anew in the backward pass. Second derivatives are
    refused by torch.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, kernel: Kernel) -> Tensor:
        """Return x·W; keep x and the weights."""
        ctx.save_for_backward(x, weights)
        ctx.kernel = kernel
        y = x.new_empty(len(x), kernel.n_out)
        placed = kernel.placed(weights)
        for rows in _tiles(len(x), kernel):
            y[rows] = kernel.product(x[rows], placed)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Return the gradients of x and of the weights, where they are asked for."""
        x, weights = ctx.saved_tensors
        kernel, wanted = ctx.kernel, ctx.needs_input_grad[:2]
        placed = kernel.placed(weights)
        of_x = torch.empty_like(x) if wanted[0] else None
        of_weights = None
        for rows in _tiles(len(x), kernel):
            shares = kernel.gradients(x[rows], gradient[rows], placed, wanted)
            if of_x is not None:
                of_x[rows] = shares[0]
            of_weights = shares[1] if of_weights is None else of_weights.add_(shares[1])
        if wanted[1]:
            of_weights = kernel.picked(torch.zeros_like(placed) if not len(x) else of_weights)
        return of_x, of_weights, None


def _tiles(rows: int, kernel: Kernel) -> Iterator[slice]:
    for start in range(0, rows, kernel.rows):
        yield slice(start, start + kernel.rows)
