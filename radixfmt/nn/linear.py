"""A linear layer of one weight per edge."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, cast

from radixfmt.errors import InputError
from radixfmt.nn.choice import choose
from radixfmt.nn.product import SparseProduct
from radixfmt.nn.sparse import SparseModule

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from radixfmt.model.pattern import Pattern
    from radixfmt.nn.kernels import Kernel


class SparseLinear(SparseModule):
    """y = x·W + b on the last axis, with time and memory that grow with the edges.

    Args:
        pattern: shape (n_in, n_out); weights are in its order.
        bias: whether b `[n_out]` is added.
        kernel: "auto" for what `choice.choose` estimates to be fastest, or "dense", "blocked" or
            "edges". Only the kernel's index arrays differ, never parameters or what is saved.
        device: of the parameters.
        dtype: of the parameters, a float type; inputs are converted to it.

    Raises:
        ParameterError: an unknown kernel.
        UnsupportedError: a pattern too large to be held whole.
    """

    def __init__(
        self,
        pattern: Pattern,
        bias: bool = True,  # as torch.nn.Linear
        *,
        kernel: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self._wanted = kernel
        super().__init__(pattern, bias=bias, device=device, dtype=dtype)

    @property
    def in_features(self) -> int:
        """n_in."""
        return self.pattern.shape[0]

    @property
    def out_features(self) -> int:
        """n_out."""
        return self.pattern.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Return `[…, n_out]` for x `[…, n_in]`.

        Raises:
            InputError: x has another last axis.
        """
        if x.dim() < 1 or x.shape[-1] != self.in_features:
            raise InputError(
                f"SparseLinear: expected a last axis of {self.in_features} values, got an input "
                f"of shape {list(x.shape)}"
            )
        rows = x.to(self.weights.dtype).reshape(prod(x.shape[:-1]), self.in_features)
        made: Tensor = cast("Any", SparseProduct).apply(rows, self.weights, self.kernel)
        made = made if self.bias is None else made.add_(self.bias)
        return made.view(*x.shape[:-1], self.out_features)

    def _prepare(self) -> None:
        self.kernel: Kernel = choose(self.pattern, self._wanted).to(self.weights.device)

    def extra_repr(self) -> str:
        """Return sizes, edges and the kernel's name."""
        return f"{super().extra_repr()}, kernel={type(self.kernel).__name__.lower()}"
