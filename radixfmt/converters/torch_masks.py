"""Which elements of a PyTorch module's weights are edges, where the module says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


def masks_of(module: nn.Module, copy: nn.Module) -> dict[str, NDArray[np.bool_]]:
    """Return the masks of a module's weights by the weights' names.

    Args:
        module: whose parameters may be sparse tensors; every entry of them is an edge.
        copy: of the module in evaluation mode, where asking for a weight changes nothing.
    """
    found: dict[str, Tensor] = {}
    for prefix, part in module.named_modules():
        found |= {_join(prefix, name): mask for name, mask in _of_sparse_tensors(part)}
    for prefix, part in copy.named_modules():
        for source in (_of_pruning, _of_parametrizations, _of_sparse_modules):
            found |= {_join(prefix, name): mask for name, mask in source(part)}
    return {name: mask.cpu().numpy() for name, mask in found.items()}


def pruned(part: nn.Module) -> list[str]:
    """Return the names of the weights that `torch.nn.utils.prune` masks before each call."""
    from torch.nn.utils.prune import BasePruningMethod

    hooks = part._forward_pre_hooks.values()  # noqa: SLF001  where prune itself looks
    return [getattr(h, "_tensor_name") for h in hooks if isinstance(h, BasePruningMethod)]  # noqa: B009


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _of_sparse_tensors(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    import torch

    for name, tensor in (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)):
        if tensor.layout == torch.strided:
            continue
        given = tensor.detach()
        if given.layout == torch.sparse_coo:
            given = given.coalesce()
            ones = torch.ones_like(given.values(), dtype=torch.float32)
            marked = torch.sparse_coo_tensor(given.indices(), ones, given.shape)
        else:
            by_row = given.layout in (torch.sparse_csr, torch.sparse_bsr)
            pointers, indices = (
                (given.crow_indices(), given.col_indices())
                if by_row
                else (given.ccol_indices(), given.row_indices())
            )
            ones = torch.ones_like(given.values(), dtype=torch.float32)
            marked = torch.sparse_compressed_tensor(
                pointers, indices, ones, given.shape, layout=given.layout
            )
        yield name, marked.to_dense() != 0


def _of_pruning(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name in pruned(part):
        yield name, getattr(part, f"{name}_mask") != 0


def _of_parametrizations(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    from torch.nn.utils import parametrize

    if not parametrize.is_parametrized(part):
        return
    for name, steps in cast("Any", part).parametrizations.items():
        weight = getattr(part, name)
        inside = None
        for buffer in steps.buffers():
            if buffer.shape == weight.shape and bool(((buffer == 0) | (buffer == 1)).all()):
                inside = buffer != 0 if inside is None else inside & (buffer != 0)
        # zeros and ones may mean something else: a mask leaves nothing outside
        if inside is not None and not bool((weight[~inside] != 0).any()):
            yield name, inside


def _of_sparse_modules(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    import torch

    from radixfmt.nn.cells import flat_cells
    from radixfmt.nn.sparse import SparseModule

    if isinstance(part, SparseModule):
        n_in, n_out = part.pattern.shape
        mask = torch.zeros(n_out * n_in, dtype=torch.bool)
        mask[torch.from_numpy(flat_cells(part.pattern))] = True
        yield "weight", mask.view(dense_shape(part))


def dense_shape(part: Any) -> tuple[int, ...]:
    """Return the shape of a sparse module's dense weight, `[C_out, C_in/group, …]`."""
    return tuple(getattr(part, "weight_shape", part.pattern.shape[::-1]))
