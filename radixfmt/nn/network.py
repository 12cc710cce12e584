"""From a file's network to a module that trains, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from radixfmt.errors import InputError, UnsupportedError
from radixfmt.initialization import weighted
from radixfmt.model.dtypes import is_float
from radixfmt.model.graph import ELEMENT_TYPES, SPARSE_OPS, topological_order
from radixfmt.model.layer import Layer
from radixfmt.model.network import Network
from radixfmt.nn.conv import SparseConv1d, SparseConv2d, SparseConv3d
from radixfmt.nn.edges import numpy_of
from radixfmt.nn.linear import SparseLinear
from radixfmt.nn.operators import KNOWN, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from radixfmt.model.graph import Node
    from radixfmt.nn.sparse import SparseModule

CONVOLUTIONS = {1: SparseConv1d, 2: SparseConv2d, 3: SparseConv3d}

TRAINED = {
    "BatchNormalization": (1, 2), "Conv": (1, 2), "Gather": (0,), "Gemm": (1, 2),
    "GroupNormalization": (1, 2), "InstanceNormalization": (1, 2), "LayerNormalization": (1, 2),
    "MatMul": (0, 1), "PRelu": (1,),
}  # fmt: skip
"""Inputs of operators that are weights where they are dense tensors of floats."""


class TorchNetwork(nn.Module):
    """A network as a module: `layers` are sparse modules, `tensor_K` the dense tensors.

    Called with the graph's inputs in their order, it returns the output, or a tuple of them.

    Args:
        network: with weights, of operators that `operators.KNOWN` has.

    Raises:
        UnsupportedError: a layer without weights, an operator or an element type that is unknown.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        order = topological_order(network.graph) or ()
        self._nodes = [network.graph[i] for i in order]
        unknown = sorted({n.op for n in self._nodes} - KNOWN - SPARSE_OPS.keys())
        if unknown:
            raise UnsupportedError(
                f"torch: operators {', '.join(unknown)} are not among those that can be trained "
                f"here: {', '.join(sorted(KNOWN | SPARSE_OPS.keys()))}",
                hint="rx.Session runs every ONNX operator",
            )
        self._inputs, self._outputs = network.inputs, network.outputs
        self._rest: dict[str, Any] = {
            "graph": network.graph,
            "inputs": network.inputs,
            "outputs": network.outputs,
            "metadata": network.metadata,
            # a file's arrays are read when they are asked for
            "ext": {k: v if isinstance(v, str) else np.array(v) for k, v in network.ext.items()},
        }
        kinds = (value.dtype for value in network.inputs[:1] if value.dtype.startswith("float"))
        dtype = cast("torch.dtype", getattr(torch, next(kinds, "float32")))
        self.layers = nn.ModuleList()
        self._names = []
        for layer in network.layers:
            self.layers.append(_module(layer, dtype))
            self._names.append(layer.name)
        self._tensors = dict(self._register(network.tensors))
        self._last = {name: i for i, node in enumerate(self._nodes) for name in node.inputs}
        self._last |= {value.name: len(self._nodes) for value in network.outputs}

    def _register(self, tensors: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, str]]:
        """Make parameters and buffers of the dense tensors; yield (tensor, attribute)."""
        trained = set(_trained(self._nodes, tensors))
        for k, (name, array) in enumerate(tensors.items()):
            attribute, tensor = f"tensor_{k}", _tensor(name, array)
            if name in trained:
                self.register_parameter(attribute, nn.Parameter(tensor))
            else:
                self.register_buffer(attribute, tensor)
            yield name, attribute

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the graph's output, or a tuple of several.

        Raises:
            InputError: another number of inputs, or one of another size than a layer reads.
            UnsupportedError: a node that torch cannot run; says which.
        """
        names = [value.name for value in self._inputs]
        if len(inputs) != len(names):
            raise InputError(
                f"inputs: expected {len(names)} ({', '.join(names)}), got {len(inputs)}"
            )
        made: dict[str, Tensor] = dict(zip(names, inputs, strict=True))
        made |= {name: getattr(self, attribute) for name, attribute in self._tensors.items()}
        for i, node in enumerate(self._nodes):
            outputs = self._run(node, [made[name] if name else None for name in node.inputs])
            made |= {name: y for name, y in zip(node.outputs, outputs, strict=False) if name}
            for name in node.inputs:  # what nobody reads any more goes
                if self._last[name] == i:
                    made.pop(name, None)
        found = tuple(made[value.name] for value in self._outputs)
        return found[0] if len(found) == 1 else found

    def _run(self, node: Node, given: list[Tensor | None]) -> tuple[Tensor, ...]:
        where = f"node {node.op} → {node.outputs[0]!r}"
        try:
            if node.layer is not None:
                return (self.layers[node.layer](*given),)
            outputs = run(node, given, training=self.training)
        except torch.OutOfMemoryError:
            raise
        except UnsupportedError as error:
            raise UnsupportedError(f"{where}: {error}", hint=error.hint) from error
        except (RuntimeError, TypeError, ValueError, LookupError) as error:
            if isinstance(error, InputError):
                raise
            text = " ".join(str(error).split())[:300]
            raise UnsupportedError(f"{where}: torch refuses it: {text}") from error
        if len(outputs) < sum(name != "" for name in node.outputs):
            raise UnsupportedError(f"{where}: expected {len(outputs)} outputs to be used")
        return outputs

    def to_network(self) -> Network:
        """Return the network with the edges, weights and tensors as they are now.

        Metadata stay: tell in its provenance how it was trained.
        """
        layers = [
            _layer(name, cast("SparseModule", module))
            for name, module in zip(self._names, self.layers, strict=True)
        ]
        tensors = {name: numpy_of(getattr(self, at)) for name, at in self._tensors.items()}
        return Network(layers=layers, tensors=tensors, **self._rest)


def to_torch(network: Network, *, weights: str | None = None, seed: int = 0) -> TorchNetwork:
    """Return a module that computes what `network` does, and trains.

    Each layer becomes a `SparseLinear` or `SparseConv`, with the weights of its edges as the
    parameter; dense weights (of Gemm, MatMul, Conv, norms, embeddings, and vectors that Add adds)
    are parameters too, other tensors buffers. The module is in evaluation mode, in which it
    computes what the file says: call `.train()` first to train batch norms and dropouts.

    Args:
        network: of operators that are known here; weights of any kind become floats.
        weights: a rule that draws the weights of all layers anew ("he", "variance", …, as in
            `generate`), for a topology without weights; None to take those that are there.
        seed: of the drawn weights.

    Returns:
        the module; its `to_network()` is the way back to a file.

    Raises:
        ParameterError: an unknown rule.
        UnsupportedError: a layer without weights, an operator or an element type that is unknown.
    """
    source = network if weights is None else weighted(network, weights=weights, seed=seed)
    return TorchNetwork(source).eval()


def _module(layer: Layer, dtype: torch.dtype) -> SparseModule:
    """Return a layer as a module.

    Raises:
        UnsupportedError: it has no weights.
    """
    if layer.weights is None:
        raise UnsupportedError(
            f"{layer.name}: it has no weights, so there is nothing to train from",
            hint='draw them: to_torch(net, weights="he", seed=0), or `radixfmt convert IN OUT '
            "--weights he`",
        )
    bias = layer.bias is not None
    module: SparseModule
    if layer.geometry is None:
        module = SparseLinear(layer.pattern, bias, dtype=dtype)
    else:
        kind = CONVOLUTIONS[len(layer.geometry.kernel_shape)]
        module = kind(layer.pattern, layer.geometry, bias, dtype=dtype)
    with torch.no_grad():  # one value for all broadcasts
        module.weights.copy_(_tensor(f"{layer.name}: weights", layer.weights))
        if module.bias is not None and layer.bias is not None:
            module.bias.copy_(_tensor(f"{layer.name}: bias", layer.bias))
    return module


def _layer(name: str, module: SparseModule) -> Layer:
    """Return a module as a layer."""
    geometry = getattr(module, "geometry", None)
    return Layer(
        name,
        module.pattern,
        numpy_of(module.weights),
        None if module.bias is None else numpy_of(module.bias),
        kind="linear" if geometry is None else "conv",
        geometry=geometry,
    )


def _trained(nodes: Sequence[Node], tensors: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield the names of dense tensors that are weights, not constants."""
    for node in nodes:
        for i, name in enumerate(node.inputs):
            if name not in tensors or not is_float(np.asarray(tensors[name]).dtype):
                continue
            vector = node.op == "Add" and np.ndim(tensors[name]) == 1
            if vector or i in TRAINED.get(node.op, ()):
                yield name


def _tensor(name: str, array: Any) -> Tensor:
    """Return an array as a tensor of its own.

    Raises:
        UnsupportedError: an element type that torch and ONNX do not share.
    """
    found = np.asarray(array)
    if found.dtype.name == "bfloat16":  # which numpy has from ml_dtypes and torch does not take
        found = found.astype(np.float32)
    found = found.astype(found.dtype.newbyteorder("="), order="C")
    if found.dtype.name not in ELEMENT_TYPES:
        raise UnsupportedError(
            f"{name}: expected an element type of {', '.join(ELEMENT_TYPES)}, got {found.dtype}"
        )
    return torch.from_numpy(found)
