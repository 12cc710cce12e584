"""Convolutions of one weight per edge.

Parameters and gradients grow with the edges; time does not: the forward pass spreads the weights
into the dense kernel that torch's convolution takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from radixfmt.errors import InputError, ParameterError
from radixfmt.nn.cells import flat_cells, spread
from radixfmt.nn.sparse import SparseModule

if TYPE_CHECKING:
    from collections.abc import Callable

    from radixfmt.model.layer import ConvGeometry
    from radixfmt.model.pattern import Pattern


CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
"""torch's convolution by spatial rank."""


class SparseConv(SparseModule):
    """A convolution with W = `weight.reshape(C_out, -1).T`, `[C_in/group·∏kernel_shape, C_out]`.

    Args:
        pattern: where W may be nonzero; weights are in its order.
        geometry: how the kernel moves, in ONNX's terms.
        bias: whether one value per output channel is added.
        device: of the parameters.
        dtype: of the parameters, a float type; inputs are converted to it.

    Raises:
        ParameterError: a geometry of another rank, or one that the pattern's shape contradicts.
    """

    rank: ClassVar[int]
    cells: Tensor

    def __init__(
        self,
        pattern: Pattern,
        geometry: ConvGeometry,
        bias: bool = True,  # as torch.nn.Conv2d
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if len(geometry.kernel_shape) != self.rank:
            raise ParameterError(
                f"{type(self).__name__}: expected a kernel of rank {self.rank}, got kernel_shape "
                f"{list(geometry.kernel_shape)}"
            )
        geometry.check(pattern.shape)
        self.geometry = geometry
        super().__init__(pattern, bias=bias, device=device, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return `[B, C_out, …]` for x `[B, C_in, …]`.

        Raises:
            InputError: x has another rank or number of channels.
        """
        channels = self.weight_shape[1] * self.geometry.group
        if x.dim() != self.rank + 2 or x.shape[1] != channels:
            raise InputError(
                f"{type(self).__name__}: expected an input [B, {channels}] and {self.rank} more "
                f"axes, got shape {list(x.shape)}"
            )
        size = self.pattern.shape[0] * self.pattern.shape[1]
        weight = spread(self.weights, self.cells, size).view(self.weight_shape)
        return self.convolve(x.to(self.weights.dtype), weight, self.bias)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the convolution of x with a dense weight `[C_out, C_in/group, …]`."""
        g = self.geometry
        return convolve(x, weight, bias, g.strides, g.pads, g.dilations, g.group)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the dense weight, `[C_out, C_in/group, …]`."""
        n_out = self.pattern.shape[1]
        kernel = self.geometry.kernel_shape
        return (n_out, self.pattern.shape[0] // int(torch.Size(kernel).numel()), *kernel)

    def _prepare(self) -> None:
        cells = torch.from_numpy(flat_cells(self.pattern)).to(self.weights.device)
        self.register_buffer("cells", cells, persistent=False)


class SparseConv1d(SparseConv):
    """`SparseConv` over one spatial axis."""

    rank = 1


class SparseConv2d(SparseConv):
    """`SparseConv` over two spatial axes."""

    rank = 2


class SparseConv3d(SparseConv):
    """`SparseConv` over three spatial axes."""

    rank = 3


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    strides: Any,
    pads: Any,
    dilations: Any,
    group: int,
) -> Tensor:
    """Return torch's convolution with ONNX's pads: all beginnings, then all ends."""
    rank = weight.dim() - 2
    begins, ends = tuple(pads[:rank]), tuple(pads[rank:])
    if begins != ends:  # torch pads alike on both sides
        x, begins = functional.pad(x, both_sides(begins, ends)), (0,) * rank
    return CONVOLUTIONS[rank](x, weight, bias, tuple(strides), begins, tuple(dilations), group)


def both_sides(begins: tuple[int, ...], ends: tuple[int, ...]) -> list[int]:
    """Return pads as `torch.nn.functional.pad` takes them: the last axis first."""
    return [size for pair in zip(reversed(begins), reversed(ends), strict=True) for size in pair]
