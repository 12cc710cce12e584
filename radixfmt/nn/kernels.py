"""Three ways to multiply by a sparse matrix and back.

`Dense` fills the whole matrix for the time of a product, `Blocked` multiplies tiles of outputs
that share inputs, `Edges` goes along the edges. `choice` picks one.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from radixfmt.nn.cells import flat_cells, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.pattern import Pattern
    from radixfmt.model.tiling import Tiling

Wanted = tuple[bool, bool]
"""Which of two gradients are asked for: of the input, of the weights."""


class Kernel(nn.Module, ABC):
    """A way to multiply, for one pattern of shape (n_in, n_out).

    Index arrays are buffers, so that they follow the module to its device; a state dict has none
    of them.

    Attributes:
        rows: of the batch to take at a time, few where the rows of many neurons are gathered.
    """

    rows = 128

    def __init__(self, pattern: Pattern) -> None:
        super().__init__()
        self.n_in, self.n_out = pattern.shape

    def placed(self, weights: Tensor) -> Tensor:
        """Return weights `[nnz]` in the form that products take; by default as they are."""
        return weights

    def picked(self, placed: Tensor) -> Tensor:
        """Return the weights `[nnz]` of what `placed` returns."""
        return placed

    @abstractmethod
    def product(self, x: Tensor, placed: Tensor) -> Tensor:
        """Return x·W, `[B, n_out]`, for x `[B, n_in]`, B at least 1."""

    @abstractmethod
    def gradients(
        self, x: Tensor, gradient: Tensor, placed: Tensor, wanted: Wanted
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x, `[B, n_in]`, and of W in the form of `placed`.

        Args:
            x: as in `product`.
            gradient: of the product, `[B, n_out]`.
            placed: as in `product`.
            wanted: for each of the two whether it is; None stands for the other.
        """

    def _index(self, name: str, values: NDArray[Any], dtype: Any = np.int64) -> None:
        self.register_buffer(name, torch.from_numpy(values.astype(dtype)), persistent=False)


class Dense(Kernel):
    """The whole matrix, zeros included, for the time of a product."""

    rows = 1 << 40  # the whole batch: each tile would go through all cells
    cells: Tensor

    def __init__(self, pattern: Pattern) -> None:
        super().__init__(pattern)
        self._index("cells", flat_cells(pattern))

    def placed(self, weights: Tensor) -> Tensor:
        """Return W transposed, `[n_out, n_in]`."""
        return spread(weights, self.cells, self.n_out * self.n_in).view(self.n_out, self.n_in)

    def picked(self, placed: Tensor) -> Tensor:
        """Return the cells that are edges."""
        return placed.reshape(-1)[self.cells]

    def product(self, x: Tensor, placed: Tensor) -> Tensor:
        """Return x·W."""
        return x @ placed.T

    def gradients(
        self, x: Tensor, gradient: Tensor, placed: Tensor, wanted: Wanted
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x and of every cell."""
        return gradient @ placed if wanted[0] else None, gradient.T @ x if wanted[1] else None


class Blocked(Kernel):
    """Gather the inputs of each tile, multiply tile by tile, put the outputs in order."""

    inputs: Tensor
    outputs: Tensor
    slots: Tensor
    place: Tensor
    uses: Tensor
    first_use: Tensor

    def __init__(self, pattern: Pattern, tiles: Tiling) -> None:
        super().__init__(pattern)
        self.size = tiles.size
        inputs = tiles.inputs.reshape(-1)
        used = np.flatnonzero(inputs >= 0)
        order = used[np.argsort(inputs[used], kind="stable")]
        counts = np.bincount(inputs[used], minlength=self.n_in)
        self._index("inputs", np.maximum(inputs, 0))  # padding reads any row, times zero
        self._index("outputs", np.maximum(tiles.outputs.reshape(-1), 0))
        self._index("slots", tiles.slots)
        self._index("place", tiles.place(self.n_out))
        self._index("uses", order)  # gathered rows, input after input
        self._index("first_use", np.concatenate([[0], np.cumsum(counts)]))

    def placed(self, weights: Tensor) -> Tensor:
        """Return tiles `[groups, m, k]`."""
        groups, m, k = self.size
        return spread(weights, self.slots, groups * m * k).view(groups, m, k)

    def picked(self, placed: Tensor) -> Tensor:
        """Return the cells of tiles that are edges."""
        return placed.reshape(-1)[self.slots]

    def product(self, x: Tensor, placed: Tensor) -> Tensor:
        """Return x·W."""
        made = torch.bmm(placed, self._gathered(x)).flatten(0, 1)
        return made.index_select(0, self.place).T

    def gradients(
        self, x: Tensor, gradient: Tensor, placed: Tensor, wanted: Wanted
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x, the shares of all tiles added up, and of all tiles."""
        groups, m, _ = self.size
        rows = gradient.T.contiguous().index_select(0, self.outputs).view(groups, m, len(x))
        of_x = of_tiles = None
        if wanted[0]:
            shares = torch.bmm(placed.transpose(1, 2), rows).flatten(0, 1)
            of_x = added_up(self.uses, shares, self.first_use).T
        if wanted[1]:
            of_tiles = torch.bmm(rows, self._gathered(x).transpose(1, 2))
        return of_x, of_tiles

    def _gathered(self, x: Tensor) -> Tensor:
        """Return what each tile reads, `[groups, k, B]`."""
        groups, _, k = self.size
        return x.T.contiguous().index_select(0, self.inputs).view(groups, k, len(x))


class Edges(Kernel):
    """Along the edges, in float32 at least."""

    indices: Tensor
    indptr: Tensor
    order: Tensor
    targets: Tensor
    starts: Tensor

    def __init__(self, pattern: Pattern) -> None:
        super().__init__(pattern)
        indices = pattern.indices
        order = np.argsort(indices, kind="stable")
        targets = np.repeat(np.arange(self.n_out), pattern.fan_in())[order]
        counts = np.bincount(indices, minlength=self.n_in)
        largest = max(self.n_in, self.n_out, pattern.nnz)
        narrow = np.int32 if largest < 2**31 else np.int64
        self._index("indices", indices, narrow)
        self._index("indptr", pattern.indptr, narrow)
        self._index("order", order, narrow)  # edges by input
        self._index("targets", targets, narrow)  # their outputs
        self._index("starts", np.concatenate([[0], np.cumsum(counts)]), narrow)

    def product(self, x: Tensor, placed: Tensor) -> Tensor:
        """Return x·W."""
        rows = _wide(x).T.contiguous()
        return added_up(self.indices, rows, self.indptr, _wide(placed)).T.to(x.dtype)

    def gradients(
        self, x: Tensor, gradient: Tensor, placed: Tensor, wanted: Wanted
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of x, and of the edges and no other cell."""
        rows = _wide(gradient).T.contiguous()
        of_x = of_edges = None
        if wanted[0]:
            shares = _wide(placed).index_select(0, self.order)
            of_x = added_up(self.targets, rows, self.starts, shares).T.to(x.dtype)
        if wanted[1]:
            found = torch.sparse.sampled_addmm(self._no_weights(rows), rows, _wide(x), beta=0.0)
            of_edges = found.values().to(x.dtype)
        return of_x, of_edges

    def _no_weights(self, like: Tensor) -> Tensor:
        """Return zeros at the edges, as torch's own sparse type."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "CSR support is in beta state"
            return torch.sparse_csr_tensor(
                self.indptr,
                self.indices,
                like.new_zeros(len(self.indices)),
                (self.n_out, self.n_in),
                check_invariants=False,
            )


def added_up(rows: Tensor, values: Tensor, starts: Tensor, shares: Tensor | None = None) -> Tensor:
    """Return the sums of `values[rows]`, each times its share, between `starts`.

    Unlike `index_add` it adds in one order on every device.
    """
    return functional.embedding_bag(
        rows, values, starts, mode="sum", per_sample_weights=shares, include_last_offset=True
    )


def _wide(values: Tensor) -> Tensor:
    """Return values of a narrow float type as float32: few sparse routines take them."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
