"""The dense state dict of a network, as a PyTorch module would have it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.state_dict import bias_of, weight_of
from radixfmt.errors import UnsupportedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


def state_of(network: Network, most: int) -> dict[str, NDArray[Any]]:
    """Return the dense weights, biases and tensors of a network by their names.

    Args:
        network: with weights; codes become the float32 they mean.
        most: bytes that the dense weights may take.

    Raises:
        UnsupportedError: a layer without weights, more bytes, or two tensors of one name.
    """
    state: dict[str, NDArray[Any]] = {}

    def add(name: str, array: NDArray[Any]) -> None:
        if name in state:
            raise UnsupportedError(f"expected tensors of different names, got {name!r:.120} twice")
        state[name] = array

    for layer in network.layers:
        if layer.dtype is None:
            raise UnsupportedError(
                f"{layer.name}: it has no weights, so there is no state",
                hint="radixfmt convert IN OUT --weights he --seed S gives it some",
            )
        most -= prod(layer.pattern.shape) * layer.dtype.itemsize
        if most < 0:
            raise UnsupportedError(
                f"{layer.name}: up to here, dense weights would take {-most} bytes too many",
                hint="keep it as .rx.h5, or write one layer alone: --layer N",
            )
        name = weight_of(layer)
        add(name, _dense(layer))
        if layer.bias is not None:
            add(bias_of(name), np.broadcast_to(layer.bias, (layer.pattern.shape[1],)))
    for name, tensor in network.tensors.items():
        add(name, np.asarray(tensor))
    return state


def _dense(layer: Layer) -> NDArray[Any]:
    """Return a layer's weight as PyTorch has it: `[out, in]` or `[C_out, C_in/group, …]`."""
    n_in, n_out = layer.pattern.shape
    kernel = () if layer.geometry is None else layer.geometry.kernel_shape
    whole = np.zeros((n_out, n_in), layer.dtype)
    outputs = np.repeat(np.arange(n_out), layer.pattern.fan_in())
    whole[outputs, layer.pattern.indices] = layer.weights
    return whole.reshape(n_out, n_in // prod(kernel), *kernel)
