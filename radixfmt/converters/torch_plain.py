"""A copy of a PyTorch module in which every weight is a plain dense parameter of its own name.

What an exporter writes into the graph, it then finds ready: the products of weights and masks.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

from radixfmt.converters.torch_masks import dense_shape, masks_of, pruned
from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


def plain(module: nn.Module) -> tuple[nn.Module, dict[str, NDArray[np.bool_]]]:
    """Return a copy that computes what the module does in evaluation mode, and its masks.

    The copy is on the CPU; bfloat16 became float32, which holds all its values.

    Args:
        module: left as it is.

    Returns:
        the copy; and by the name of a weight, which of its elements are edges.

    Raises:
        UnsupportedError: a module that cannot be copied.
    """
    import torch
    from torch.nn.utils import parametrize, prune

    with torch.no_grad():
        copy = _copied(module).eval().cpu()
        masks = masks_of(module, copy)
        for part in list(copy.modules()):
            for name in pruned(part):
                prune.remove(part, name)  # type: ignore[no-untyped-call]
            if parametrize.is_parametrized(part):
                _remove_parametrizations(part)
        copy = _without_sparse_modules(copy)
        for tensor in (*copy.parameters(), *copy.buffers()):
            tensor.requires_grad_(False)
            if tensor.dtype == torch.bfloat16:
                tensor.data = tensor.data.float()
    return copy, masks


def _copied(module: nn.Module) -> nn.Module:
    """Return a deep copy in which sparse tensors are dense and none has a history."""
    import torch

    ready: dict[int, Any] = {}  # what deepcopy would refuse, by id, as its memo has it
    for part in module.modules():
        held = (*part._parameters.values(), *part._buffers.values(), *vars(part).values())  # noqa: SLF001
        for tensor in held:
            if not isinstance(tensor, torch.Tensor):
                continue
            free: Tensor = tensor.detach()
            if tensor.layout != torch.strided:
                dense = free.to_dense()
                is_parameter = isinstance(tensor, torch.nn.Parameter)
                ready[id(tensor)] = torch.nn.Parameter(dense, False) if is_parameter else dense
            elif not tensor.is_leaf:  # what prune computed for the last call
                ready[id(tensor)] = free.clone()
    try:
        return deepcopy(module, ready)
    except Exception as error:  # noqa: BLE001  whatever the module's parts raise
        text = " ".join(str(error).split())[:300]
        raise UnsupportedError(
            f"module {type(module).__name__}: it cannot be copied: {text}",
            hint="take what copy.deepcopy refuses (a lock, an open file) out of the module",
        ) from None


def _remove_parametrizations(part: Any) -> None:
    """Make the weights that parametrisations compute parameters.

    torch's own removal would change the class, which a copy shares with what it is copied from.
    """
    import torch

    weights = {name: getattr(part, name).detach().clone() for name in part.parametrizations}
    part.__class__ = type(part).__bases__[0]
    del part.parametrizations
    for name, weight in weights.items():
        part.register_parameter(name, torch.nn.Parameter(weight, weight.is_floating_point()))


def _without_sparse_modules(module: nn.Module) -> nn.Module:
    """Return the module with dense layers in the places of this package's sparse ones."""
    from radixfmt.nn.sparse import SparseModule

    if isinstance(module, SparseModule):
        return _dense(module)
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, SparseModule):
                setattr(part, name, _dense(child))
    return module


def _dense(part: Any) -> nn.Module:
    """Return a module with `weight` and `bias` that computes what a sparse one does."""
    import torch
    from torch.nn import functional

    found: Any = torch.nn.Module()
    found.weight = torch.nn.Parameter(part.dense_weight().detach().reshape(dense_shape(part)))
    found.bias = part.bias
    apply = getattr(part, "convolve", functional.linear)

    def forward(x: Tensor) -> Any:
        return apply(x.to(found.weight.dtype), found.weight, found.bias)

    found.forward = forward
    return cast("nn.Module", found)
