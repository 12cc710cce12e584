"""A state dict, which is tensors by the names of a module's parameters, and the network of one.

It holds no graph: a chain of Linear layers can be told from sizes alone, anything else takes its
graph and its edges from a network that is there already.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.onnx_nodes import shown
from radixfmt.converters.onnx_products import pattern_and_weights
from radixfmt.errors import InputError, UnsupportedError
from radixfmt.model.dtypes import VALUE_TYPES
from radixfmt.model.layer import Layer
from radixfmt.model.network import chain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.network import Network

    State = dict[str, NDArray[Any]]

HINT = (
    "load it into its module, for rx.from_torch(module, example_inputs); or take graph and edges "
    "from a file: --like NET.rx.h5"
)


def unmasked(state: State) -> tuple[State, State]:
    """Return a state dict with masks applied, and the masks.

    `torch.nn.utils.prune` keeps a weight as `NAME_orig` and `NAME_mask`, and `rx.nn.apply` as a
    parametrisation with a mask.

    Args:
        state: as it was saved.

    Returns:
        the state with `NAME` in place of each such pair, and bool masks by `NAME`.
    """
    found, masks = dict(state), {}
    for original in state:
        name, at = _masked(original)
        mask = state.get(at)
        if mask is not None and mask.shape == state[original].shape and name not in found:
            masks[name] = mask != 0
            weight = found.pop(original)
            found[name] = np.where(masks[name], weight, np.zeros((), weight.dtype))
            del found[at]
    return found, masks


def chain_of(state: State, masks: State, *, file: str) -> tuple[Network, list[str]]:
    """Return the chain of Linear layers that a state dict holds, in the order of their names.

    Exact zeros are no edges, but inside a mask. Numbers in names count as numbers: `2.weight`
    stands before `10.weight`.

    Args:
        state: `NAME.weight` `[out, in]` and `NAME.bias` `[out]`, and nothing else.
        masks: of weights, by name.
        file: for messages.

    Returns:
        the network, and what had to be assumed.

    Raises:
        UnsupportedError: a tensor that no chain of Linear layers has, or sizes that do not meet.
    """
    weights = {name for name in state if name.endswith("weight")}
    order, biases = sorted(weights, key=_natural), {bias_of(name) for name in weights}
    for name, array in state.items():
        if name not in biases and not (name in weights and array.ndim == 2 and array.size):
            raise UnsupportedError(
                f"{file}: tensor {name!r:.120} of shape {list(array.shape)}: expected a chain of "
                "Linear layers, NAME.weight [out, in] and NAME.bias [out], and nothing else",
                hint=HINT,
            )
    layers: list[Layer] = []
    for name in order:
        weight, bias = state[name], state.get(bias_of(name))
        if layers and layers[-1].pattern.shape[1] != weight.shape[1]:
            raise UnsupportedError(
                f"{file}: {name!r:.120} takes {weight.shape[1]} inputs, but before it "
                f"{layers[-1].name!r:.120} has {layers[-1].pattern.shape[1]} outputs",
                hint=HINT,
            )
        _check_types(file, name, weight, bias)
        edges = pattern_and_weights(weight, masks.get(name), by_output=True, what=f"{file}: {name}")
        layers.append(Layer(name, *edges, _vector(bias, weight.shape[0], bias_of(name), file)))
    if not layers:
        raise UnsupportedError(f"{file}: expected NAME.weight, got {shown(state)}", hint=HINT)
    losses = ["the graph, if it is more than Linear layers: no activation stands between them"]
    if len(layers) > 1:
        losses.append(f"the order of layers, which come from their names: {shown(order)}")
    return chain(layers), losses


def placed(state: State, network: Network, *, like: str, file: str) -> tuple[Network, list[str]]:
    """Return a network with the weights, biases and dense tensors of a state dict.

    Args:
        state: named as the network's layers and tensors are; see `weight_of`.
        network: with the graph and the edges.
        like: where it came from, for messages.
        file: of the state dict, for messages.

    Returns:
        the network, and what came from it or was left over.

    Raises:
        InputError: a weight that is missing, of another shape, or not zero outside the edges.
    """
    used: set[str] = set()
    layers = []
    for layer in network.layers:
        name = weight_of(layer)
        if name not in state:
            raise InputError(
                f"{file}: expected the weight of layer {layer.name!r:.120} of {like} as "
                f"{name!r:.120}, got {shown(state)}",
                hint="the names are those of the module's parameters",
            )
        bias = state.get(bias_of(name))
        _check_types(file, name, state[name], bias)
        weights = _at_edges(state[name], layer, name, file=file)
        used |= {name, bias_of(name)}
        length = layer.pattern.shape[1]
        bias = layer.bias if bias is None else _vector(bias, length, bias_of(name), file)
        layers.append(layer.replace(weights=weights, bias=bias))
    tensors = dict(network.tensors)
    for name in tensors.keys() & state.keys():
        if state[name].shape != np.shape(tensors[name]):
            raise InputError(
                f"{file}: tensor {name!r:.120}: expected shape {list(np.shape(tensors[name]))} as "
                f"in {like}, got {list(state[name].shape)}"
            )
        tensors[name] = state[name]
        used.add(name)
    losses = []
    if rest := sorted(tensors.keys() - state.keys()):
        losses.append(f"dense tensors that come from {like}: {shown(rest)}")
    if left := sorted(state.keys() - used):
        losses.append(f"tensors that {like} has no place for: {shown(left)}")
    return replace(network, layers=tuple(layers), tensors=tensors), losses


def weight_of(layer: Layer) -> str:
    """Return the name of a layer's weight: its own if that is a weight's, else with `.weight`."""
    return layer.name if layer.name.endswith("weight") else f"{layer.name}.weight"


def bias_of(weight: str) -> str:
    """Return the name of the bias beside a weight: `fc.bias`, `attend.in_proj_bias`."""
    return f"{weight.removesuffix('weight')}bias"


def _masked(original: str) -> tuple[str, str]:
    """Return the names of a weight and its mask, by that of the weight before the mask; or ""."""
    if original.endswith("_orig"):
        name = original.removesuffix("_orig")
        return name, f"{name}_mask"
    steps, _, own = original.removesuffix(".original").rpartition(".")
    if original.endswith(".original") and steps.endswith("parametrizations"):
        return f"{steps.removesuffix('parametrizations')}{own}", f"{steps}.{own}.0.mask"
    return "", ""


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts numbers in names by their values."""
    parts = re.split(r"(\d+)", name)
    return [(int(p[:18]), "") if p.isascii() and p.isdigit() else (-1, p) for p in parts]


def _check_types(file: str, name: str, *arrays: NDArray[Any] | None) -> None:
    for array in arrays:
        if array is not None and array.dtype.name not in VALUE_TYPES:
            raise UnsupportedError(
                f"{file}: {name!r:.120}: expected elements of type {', '.join(VALUE_TYPES)}, got "
                f"{array.dtype.name}"
            )


def _vector(bias: NDArray[Any] | None, length: int, name: str, file: str) -> NDArray[Any] | None:
    if bias is not None and bias.shape != (length,):
        raise InputError(
            f"{file}: {name!r:.120}: expected a bias of {length} values, got shape "
            f"{list(bias.shape)}"
        )
    return bias


def _at_edges(weight: NDArray[Any], layer: Layer, name: str, *, file: str) -> NDArray[Any]:
    """Return the weights of a layer's edges out of a dense weight, zero everywhere else."""
    n_in, n_out = layer.pattern.shape
    kernel = () if layer.geometry is None else layer.geometry.kernel_shape
    expected = (n_out, n_in // prod(kernel), *kernel)
    if weight.shape != expected:
        raise InputError(
            f"{file}: {name!r:.120}: expected shape {list(expected)}, got {list(weight.shape)}"
        )
    flat = weight.reshape(n_out, n_in)
    outside = flat != 0
    outputs = np.repeat(np.arange(n_out), layer.pattern.fan_in())
    outside[outputs, layer.pattern.indices] = False
    if outside.any():
        j, i = (int(at) for at in np.argwhere(outside)[0])
        raise InputError(
            f"{file}: {name!r:.120}: expected zeros outside the edges, got {flat[j, i]} from input "
            f"{i} to output {j} ({np.count_nonzero(outside)} such weights)",
            hint="mask it before saving: rx.nn.apply(module, net) holds a module to the edges",
        )
    edges: NDArray[Any] = flat[outputs, layer.pattern.indices]
    return edges
