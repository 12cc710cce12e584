"""What modules with one weight per edge have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from radixfmt.errors import ParameterError, RadixfmtError
from radixfmt.model.columns import ArrayColumns
from radixfmt.model.pattern import Pattern
from radixfmt.nn.cells import flat_cells, spread

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX_NAMES = ("indptr", "indices")


class SparseModule(nn.Module, ABC):
    """A module whose weights `[nnz]` are those of a pattern's edges, in pattern order.

    The state dict has `weights`, `bias` if there is one, and the edges as `indptr` and `indices`
    (CSR of the `[n_out, n_in]` weight); loading one brings its edges along, as many as they are.

    Args:
        pattern: shape (n_in, n_out); all its edges are made.
        bias: whether there is one value `[n_out]` to add.
        device: of the parameters.
        dtype: of the parameters, a float type.

    Raises:
        UnsupportedError: a pattern too large to be held whole.
    """

    def __init__(
        self,
        pattern: Pattern,
        *,
        bias: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        self._pattern = _free(pattern)
        self.weights = nn.Parameter(torch.empty(pattern.nnz, device=device, dtype=dtype))
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = nn.Parameter(torch.empty(pattern.shape[1], device=device, dtype=dtype))
        self._prepare()
        self.reset_parameters()

    @property
    def pattern(self) -> Pattern:
        """The edges."""
        return self._pattern

    @property
    def parameter(self) -> nn.Parameter:
        """The weights as an optimizer knows them."""
        return self.weights

    def reset_parameters(self) -> None:
        """Draw weights from torch's generator with variance 2/fan_in of each neuron; biases 0."""
        with torch.no_grad():
            fan_in = torch.tensor(self._pattern.fan_in())
            scale = (2 / fan_in.clamp(min=1)).sqrt().repeat_interleave(fan_in)
            self.weights.normal_().mul_(scale.to(self.weights))
            if self.bias is not None:
                self.bias.zero_()

    def dense_weight(self) -> Tensor:
        """Return the weight with all its zeros, `[n_out, n_in]`; gradients reach the edges."""
        n_in, n_out = self._pattern.shape
        cells = torch.from_numpy(flat_cells(self._pattern)).to(self.weights.device)
        return spread(self.weights, cells, n_out * n_in).view(n_out, n_in)

    def values(self) -> Tensor:
        """Return the weights `[nnz]` without their history."""
        return self.weights.detach()

    def set_edges(self, pattern: Pattern, weights: Tensor) -> None:
        """Replace edges and weights; the parameter stays the same object, its gradient goes.

        Args:
            pattern: of the same shape.
            weights: `[nnz]` of the new pattern; device and type stay the module's.

        Raises:
            ParameterError: another shape, or another number of weights.
        """
        if pattern.shape != self._pattern.shape:
            raise ParameterError(
                f"edges: expected a pattern of shape {self._pattern.shape}, got {pattern.shape}"
            )
        if tuple(weights.shape) != (pattern.nnz,):
            raise ParameterError(
                f"edges: expected {pattern.nnz} weights, got {tuple(weights.shape)}"
            )
        self._pattern = _free(pattern)
        new = weights.detach().to(self.weights, copy=True)
        self.weights.grad = None
        # A loss that is still held keeps torch expecting gradients of the old size; a change of
        # type ends that, a change of size does not.
        other = torch.float32 if new.dtype == torch.float64 else torch.float64
        self.weights.data = new.new_empty(0, dtype=other)
        self.weights.data = new
        self._prepare()

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the forward pass needs of the pattern, on the weights' device."""

    def _save_to_state_dict(
        self,
        destination: dict[str, Any],
        prefix: str,
        keep_vars: bool,
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in INDEX_NAMES:
            destination[prefix + name] = torch.from_numpy(getattr(self._pattern, name).copy())

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        state = dict(state_dict)
        found = [state.pop(prefix + name, None) for name in INDEX_NAMES]
        missing_keys += [
            prefix + name
            for name, given in zip(INDEX_NAMES, found, strict=True)
            if given is None and prefix + "weights" in state
        ]
        if all(given is not None for given in found):
            try:
                pattern = Pattern.explicit(
                    self._pattern.shape, *[given.cpu().numpy() for given in found]
                )
                if not _equal(pattern, self._pattern):
                    self.set_edges(pattern, state.get(prefix + "weights", self.weights))
            except (RadixfmtError, AttributeError, TypeError) as error:
                error_msgs.append(f"{prefix or 'module: '}edges: {error}")
                return
        super()._load_from_state_dict(
            state, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def extra_repr(self) -> str:
        """Return sizes and edges."""
        n_in, n_out = self._pattern.shape
        return f"{n_in} → {n_out}, {self._pattern.nnz} edges, bias={self.bias is not None}"


def _free(pattern: Pattern) -> Pattern:
    """Return the pattern in memory, free of any open file; a generator's record stays."""
    arrays = ArrayColumns(pattern.shape, pattern.indptr, pattern.indices)
    return pattern if pattern.record is not None and not pattern.arrays else Pattern(arrays)


def _equal(a: Pattern, b: Pattern) -> bool:
    return all(
        getattr(a, name).shape == getattr(b, name).shape
        and bool((getattr(a, name) == getattr(b, name)).all())
        for name in INDEX_NAMES
    )
