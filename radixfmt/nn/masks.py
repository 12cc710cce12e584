"""Masks on a user's own dense layers, by torch's parametrisation."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from radixfmt.errors import ParameterError, UnknownNameError
from radixfmt.model.columns import ArrayColumns, index_dtype
from radixfmt.model.pattern import Pattern
from radixfmt.nn.cells import flat_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

Module = TypeVar("Module", bound=nn.Module)

LINEAR = (nn.Linear,)
CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Mask(nn.Module):
    """The parametrisation: a weight inside the mask, 0 outside, whatever is stored there.

    Args:
        mask: bool, of the weight's shape.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the masked weight."""
        return torch.where(self.mask, weight, weight.new_zeros(()))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return what is stored when a weight is assigned: all of it."""
        return weight


class MaskedWeight:
    """A masked layer's edges, in pattern order of `weight.reshape(C_out, -1).T`."""

    def __init__(self, layer: nn.Module, mask: Mask) -> None:
        self.layer, self._mask = layer, mask

    @property
    def pattern(self) -> Pattern:
        """The edges, found in the mask."""
        flat = self._mask.mask.detach().cpu().flatten(1).numpy()
        n_out, n_in = flat.shape
        indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(flat, axis=1))])
        indices = np.nonzero(flat)[1].astype(index_dtype(n_in))
        return Pattern(ArrayColumns((n_in, n_out), indptr.astype(np.int64), indices))

    @property
    def parameter(self) -> nn.Parameter:
        """The weights as an optimizer knows them: dense, with what lies outside the mask."""
        stored = cast("Any", self.layer).parametrizations.weight.original
        return cast("nn.Parameter", stored)

    def values(self) -> Tensor:
        """Return the weights `[nnz]` without their history."""
        return self.parameter.detach()[self._mask.mask]

    def set_edges(self, pattern: Pattern, weights: Tensor) -> None:
        """Replace the mask and the weights inside it."""
        cells = torch.from_numpy(flat_cells(pattern)).to(self.parameter.device)
        with torch.no_grad():
            self._mask.mask.zero_().view(-1)[cells] = True
            self.parameter.view(-1)[cells] = weights.to(self.parameter)


def mask_of(layer: nn.Module) -> Mask | None:
    """Return the mask of a layer's weight, None where it has none."""
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    steps = cast("Any", layer).parametrizations.weight
    return next((step for step in steps if isinstance(step, Mask)), None)


def apply(module: Module, network: Network, *, names: Mapping[str, str] | None = None) -> Module:
    """Mask the layers of `module` that have the names of the network's; return `module`.

    A layer `fc1`, or `fc1.weight`, masks `module.fc1`, a `Linear` or `Conv1d`-`3d`. Layers that
    the network does not name stay as they are, weights inside the masks too. Masks are steps of
    `torch.nn.utils.parametrize`: the state dict keeps each as a buffer, state dicts of the module
    without masks can still be loaded, and `parametrize.remove_parametrizations(layer, "weight")`
    leaves a plain layer with zeros. Apply again, and the new masks take the places of the old.

    Args:
        module: with dense layers; changed in place, or not at all where an error is raised.
        network: whose patterns are taken; weights are not needed.
        names: the module's name for a layer of the network, where that is another.

    Raises:
        UnknownNameError: a layer that is not in the module, or a name that is not in the network.
        ParameterError: a layer of another kind or shape, or two for the same one.
    """
    own = dict(module.named_modules())
    chosen: dict[str, Layer] = {}
    given = {layer.name: layer for layer in network.layers}
    for name in names or {}:
        if name not in given:
            raise _unknown(f"names: {name!r} is no layer of the network", name, list(given))
    for layer in network.layers:
        name = (names or {}).get(layer.name, layer.name)
        name = name if name in own else name.removesuffix(".weight")
        if name not in own or not name:
            candidates = [key for key, found in own.items() if isinstance(found, LINEAR + CONV)]
            raise _unknown(f"layer {layer.name!r}: the module has no {name!r}", name, candidates)
        if name in chosen:
            raise ParameterError(f"layer {layer.name!r}: {name!r} already has a pattern")
        _check(name, own[name], layer)
        chosen[name] = layer
    for name, layer in chosen.items():
        _mask(own[name], layer.pattern)
    return module


def _unknown(message: str, name: str, candidates: list[str]) -> UnknownNameError:
    close = difflib.get_close_matches(name, candidates, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    listed = ", ".join(candidates[:20]) or "none"
    return UnknownNameError(
        f"{message}; expected one of: {listed}",
        hint=f"{hint}Give the module's names: apply(module, net, names={{'layer': 'module.name'}})",
    )


def _check(name: str, found: nn.Module, layer: Layer) -> None:
    """Raise ParameterError unless the module's layer can take this layer's pattern."""
    kinds: tuple[type[nn.Module], ...] = LINEAR if layer.kind == "linear" else CONV
    if not isinstance(found, kinds):
        raise ParameterError(
            f"{name}: expected {' or '.join(kind.__name__ for kind in kinds)} for a {layer.kind} "
            f"layer, got {type(found).__name__}"
        )
    shape = tuple(cast("Tensor", found.weight).shape)
    n_in, n_out = layer.pattern.shape
    flat = (shape[0], int(torch.Size(shape[1:]).numel()))
    if flat != (n_out, n_in):
        raise ParameterError(
            f"{name}: expected a weight of {n_out} outputs and {n_in} inputs, as layer "
            f"{layer.name!r} has, got shape {list(shape)}"
        )
    if layer.geometry is not None:
        wanted = (layer.geometry.kernel_shape, layer.geometry.group)
        own = (shape[2:], cast("Any", found).groups)
        if wanted != own:
            raise ParameterError(
                f"{name}: expected kernel_shape and group {wanted}, as layer {layer.name!r} has, "
                f"got {own}"
            )


def _mask(layer: nn.Module, pattern: Pattern) -> None:
    """Mask a layer, or change its mask."""
    weight = cast("Tensor", layer.weight)
    mask = torch.zeros(weight.numel(), dtype=torch.bool)
    mask[torch.from_numpy(flat_cells(pattern))] = True
    mask = mask.view(weight.shape).to(weight.device)
    known = mask_of(layer)
    if known is not None:
        known.mask.copy_(mask)
        return
    parametrize.register_parametrization(layer, "weight", Mask(mask))
    cast("Any", layer).register_load_state_dict_pre_hook(_accept_plain)


def _accept_plain(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Let a state dict of the layer without its mask be loaded into the masked one."""
    mask = mask_of(module)
    if mask is not None and prefix + "weight" in state:
        steps = cast("Any", module).parametrizations.weight
        at = next(i for i, step in enumerate(steps) if step is mask)
        state[f"{prefix}parametrizations.weight.original"] = state.pop(prefix + "weight")
        state[f"{prefix}parametrizations.weight.{at}.mask"] = mask.mask
