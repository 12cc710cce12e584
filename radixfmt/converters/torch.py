"""`from_torch`: a PyTorch module in, its sparsity structure with it."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.onnx import SPARSE, check_threshold, network_in
from radixfmt.converters.onnx_external import ExternalData
from radixfmt.converters.torch_export import exported, quiet
from radixfmt.converters.torch_plain import plain
from radixfmt.errors import InputError, MissingDependencyError, ParameterError
from radixfmt.model.dtypes import dtype_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


def from_torch(
    module: nn.Module,
    example_inputs: Any,
    *,
    sparsity_threshold: float = SPARSE,
    dynamic_batch: bool = True,
    fold_batch_norm: bool = False,
) -> Network:
    """Return the network that a PyTorch module computes in evaluation mode.

    A weight of Linear or Conv with enough zeros becomes a layer of its parameter's name, as
    `fc1.weight`; everything else stays nodes and dense tensors, and the provenance
    (`metadata.provenance[-1]["losses"]`) says which weights are below the threshold. Edges are
    the elements inside a mask, zero or not: of `torch.nn.utils.prune`, of a parametrisation that
    holds it as a buffer of zeros and ones, of a sparse tensor's entries, or of `radixfmt.nn`.
    Without a mask exact zeros are no edges. bfloat16 is computed as float32; layers keep it.
    A module that `to_torch` made is not exported: it knows its network.

    Args:
        module: left as it is; it is copied to the CPU.
        example_inputs: a tensor, a tuple of what `forward` takes, or a dict of it by name. Every
            tensor whose axis 0 is as long as the first one's has the batch there.
        sparsity_threshold: share of zeros, 0 to 1, from which a weight becomes a layer.
        dynamic_batch: whether the batch may have any size, or only that of the examples.
        fold_batch_norm: whether batch norms go into the Conv or Gemm right before them, where
            nothing else reads its weight; the weights then differ from the module's.

    Raises:
        MissingDependencyError: torch or onnxscript is not installed.
        ParameterError: no module, or a threshold outside 0 to 1.
        InputError: example inputs that the module does not take.
        UnsupportedError: a module that torch.onnx cannot export; names the operator.
    """
    _check_installed()
    import torch

    from radixfmt.nn.network import TorchNetwork

    check_threshold(sparsity_threshold)
    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    if not isinstance(module, torch.nn.Module):
        raise ParameterError(
            f"module: expected a torch.nn.Module, got {type(module).__name__}",
            hint="load a state dict into its module: module.load_state_dict(state)",
        )
    if isinstance(module, TorchNetwork):
        return module.to_network()
    what = f"module {type(module).__name__}"
    args, kwargs, batch = _arguments(example_inputs, what, dynamic=dynamic_batch)
    copy, masks = plain(module)
    try:
        with quiet(), torch.no_grad():
            copy(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  a module raises what it likes
        text = " ".join(str(error).split())[:400]
        raise InputError(
            f"{what}: it does not take the example inputs: {type(error).__name__}: {text}",
            hint="example_inputs is a tensor, a tuple of forward's arguments, or a dict of them",
        ) from None
    model = exported(copy, args, kwargs, batch=batch, fold_batch_norm=fold_batch_norm, what=what)
    network, losses = network_in(
        model,
        ExternalData(Path(), allowed=False),
        source=type(module).__name__,
        file=what,
        sparsity_threshold=sparsity_threshold,
        masks=masks,
    )
    if any(parameter.dtype == torch.bfloat16 for parameter in module.parameters()):
        network = replace(network, layers=tuple(_bfloat16(layer) for layer in network.layers))
        losses.append("bfloat16 of inputs, outputs and dense tensors, which are float32")
    return _said(network, losses, folded=fold_batch_norm)


def _check_installed() -> None:
    missing = [name for name in ("torch", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"from_torch: {' and '.join(missing)} not installed",
            hint="pip install 'radixfmt[torch]'",
        )


def _arguments(
    example_inputs: Any, what: str, *, dynamic: bool
) -> tuple[tuple[Any, ...], dict[str, Any], int | None]:
    """Return positional and named inputs on the CPU, and the batch's size if it may vary."""
    import torch
    from torch.utils import _pytree

    if isinstance(example_inputs, dict):
        given: Any = ((), example_inputs)
    elif isinstance(example_inputs, (tuple, list)):
        given = (tuple(example_inputs), {})
    else:
        given = ((example_inputs,), {})
    tensors = []
    for leaf in _pytree.tree_leaves(given):
        if isinstance(leaf, torch.Tensor):
            tensors.append(leaf)
        elif not (leaf is None or isinstance(leaf, (bool, int, float, str))):
            raise ParameterError(
                f"example_inputs: expected tensors, got {type(leaf).__name__}",
                hint="torch.from_numpy(array) makes an array a tensor",
            )
    if not tensors:
        raise ParameterError(f"example_inputs: expected a tensor that {what} takes, got none")
    batch = tensors[0].shape[0] if dynamic and tensors[0].dim() else None

    def ready(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        found = leaf.detach().cpu()
        found = found.float() if found.dtype == torch.bfloat16 else found
        # torch takes a size of 1 for one that is always 1
        double = batch == 1 and found.dim() > 0 and found.shape[0] == 1
        return torch.cat([found, found]) if double else found

    args, kwargs = _pytree.tree_map(ready, given)
    return args, kwargs, 2 if batch == 1 else batch


def _bfloat16(layer: Layer) -> Layer:
    """Return a layer with its numbers in bfloat16, where that rounds none of them."""

    def short(values: NDArray[Any] | None) -> NDArray[Any] | None:
        if values is None or values.dtype != np.float32:
            return values
        found = values.astype(dtype_of("bfloat16"))
        same = np.array_equal(found.astype(np.float32), values, equal_nan=True)
        return found if same else values

    return layer.replace(weights=short(layer.weights), bias=short(layer.bias))


def _said(network: Network, losses: list[str], *, folded: bool) -> Network:
    """Return the network with what happened to it in its provenance."""
    left = sum(node.op == "BatchNormalization" for node in network.graph)
    if folded:
        losses.append("the batch norms, which are folded into the weights before them")
    if folded and left:
        losses.append(f"the folding of {left} batch norms that no Conv or Gemm alone comes before")
    step = {**network.metadata.provenance[-1]}
    step |= {"losses": losses} if losses else {}
    return replace(network, metadata=replace(network.metadata, provenance=(step,)))
