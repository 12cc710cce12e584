"""From the nodes and constants of ONNX to layers, nodes and dense tensors of a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.converters.onnx_nodes import shown, unused
from radixfmt.converters.onnx_opset import shape_of
from radixfmt.converters.onnx_products import (
    Product,
    fits,
    pattern_and_weights,
    product_of,
    transposed,
    weights_second,
    zeros,
)
from radixfmt.converters.onnx_tensors import Coordinates
from radixfmt.errors import UnsupportedError
from radixfmt.model.graph import Node
from radixfmt.model.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.converters.onnx_opset import Constant

LARGEST_DENSE = 1 << 28
"""Bytes that sparse tensors of one model may take where they have to be made dense."""

LARGEST_POINTERS = 1 << 26
"""Outputs of all layers from sparse tensors; each takes a pointer, however small the file is."""


class Layers:
    """Collects layers, nodes and tensors.

    Args:
        constants: of the model, by name.
        types: of its tensors.
        threshold: share of zeros from which a weight becomes a sparse layer.
        file: for messages.
        masks: by the name of a dense constant, which of its elements are edges, zero or not.

    Attributes:
        layers: made so far.
        nodes: made so far.
        tensors: dense ones that nodes read.
        losses: what a person should know.
    """

    def __init__(
        self,
        constants: Mapping[str, Constant],
        types: Mapping[str, onnx.TypeProto],
        *,
        threshold: float,
        file: str,
        masks: Mapping[str, NDArray[np.bool_]],
    ) -> None:
        self.layers: list[Layer] = []
        self.nodes: list[Node] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.losses: list[str] = []
        self._constants, self._types = constants, types
        self._threshold, self._file, self._masks = threshold, file, masks
        self._index: dict[Product, int] = {}
        self._names: set[str] = set()
        self._taken = {*constants, *types}
        self._kept: dict[str, float] = {}
        self._left, self._outputs_left = LARGEST_DENSE, LARGEST_POINTERS

    def add_all(self, nodes: Sequence[Node], outputs: Sequence[str]) -> None:
        """Turn a graph's nodes, producers first, into nodes of a network.

        Args:
            nodes: all that the outputs depend on, with their attributes.
            outputs: names of the graph's outputs.

        Raises:
            UnsupportedError: a sparse tensor that would have to be made dense and is too large.
            InputError: a weight that cannot be a layer.
        """
        self._taken.update(name for node in nodes for name in node.outputs)
        nodes = weights_second(nodes, self._constants, self._types, self._sparse, self._unused)
        readers: dict[str, list[int]] = {}
        for i, node in enumerate(nodes):
            for name in node.inputs:
                readers.setdefault(name, []).append(i)
        turned = transposed(nodes, self._constants)
        products = [self._product(i, node, turned) for i, node in enumerate(nodes)]
        done = set()  # the Adds that became biases
        for i, node in enumerate(nodes):
            if i in done:
                continue
            after = readers.get(node.outputs[0], [])
            alone = node.outputs[0] not in outputs
            read_by_layers = [
                products[k] and _places(nodes[k], node.outputs[0]) == [1] for k in after
            ]
            if node.outputs[0] in turned and alone and all(read_by_layers):
                continue  # the layers hold the weight itself
            product = products[i]
            if product is None:
                self._plain(node)
                continue
            if node.op == "MatMul" and len(after) == 1 and alone:
                bias = self._added(nodes[after[0]], node.outputs[0], product)
                if bias is not None:
                    done.add(after[0])
                    product = replace(product, bias=bias)
                    node = replace(node, outputs=nodes[after[0]].outputs)  # noqa: PLW2901
            self._apply(node, product)
        for name in outputs:
            self._read(name)
        self._report()

    def _product(self, i: int, node: Node, turned: Mapping[str, str]) -> Product | None:
        """Return how a node applies a weight that is sparse enough, else None."""
        given = shape_of(self._types.get(node.inputs[0])) if node.inputs else None
        product = product_of(node, self._constants, turned, given)
        if product is None:
            return None
        name = product.weight if isinstance(product, Product) else node.inputs[1]
        if not self._sparse(name):
            self._kept[name] = self._zeros(name)
            return None
        if isinstance(product, str):
            self.losses.append(
                f"the sparsity of {name!r:.80}: node {i} ({node.op}) is kept as it is, "
                f"since {product}"
            )
            return None
        return product

    def _zeros(self, name: str) -> float:
        return zeros(self._masks.get(name, self._constants[name]))

    def _sparse(self, name: str) -> bool:
        """Return whether a weight is to become a layer."""
        kept_sparse = isinstance(self._constants[name], Coordinates)
        return kept_sparse or self._zeros(name) >= self._threshold

    def _added(self, node: Node, result: str, product: Product) -> str | None:
        """Return the constant that an Add right after a product adds to each output, if any."""
        if node.op != "Add" or sorted(node.inputs).count(result) != 1:
            return None
        other = node.inputs[1 if node.inputs[0] == result else 0]
        weight, bias = self._constants[product.weight], self._constants.get(other)
        vector = bias is not None and len(bias.shape) <= 1  # more axes could add one to the result
        outputs = weight.shape[0 if product.by_output else 1]
        return other if vector and fits(bias, outputs, weight.dtype) else None

    def _apply(self, node: Node, product: Product) -> None:
        """Add the nodes that do what a product did; Gemm's factors stay nodes, so none rounds."""
        index = self._layer(product)
        source, result = node.inputs[0], node.outputs[0]
        self._read(source)
        if product.geometry is not None:
            self.nodes.append(Node("SparseConv", (source,), (result,), layer=index))
            return
        if node.op == "Gemm" and node.attributes.get("transA", 0):
            turned = self._unused(f"{source}_transposed")
            self.nodes.append(Node("Transpose", (source,), (turned,), {"perm": (1, 0)}))
            source = turned
        added = node.inputs[2] if len(node.inputs) > 2 and product.bias is None else ""
        alpha = node.attributes.get("alpha", 1.0) if node.op == "Gemm" else 1.0
        beta = node.attributes.get("beta", 1.0)
        steps = [Node("SparseLinear", (source,), (result,), layer=index)]
        if alpha != 1.0:
            steps.append(Node("Mul", ("", self._scalar(f"{result}_alpha", alpha, product)), ("",)))
        if added:
            self._read(added)
            if beta != 1.0:
                scaled = self._unused(f"{result}_added")
                factor = self._scalar(f"{result}_beta", beta, product)
                self.nodes.append(Node("Mul", (added, factor), (scaled,)))
                added = scaled
            steps.append(Node("Add", ("", added), ("",)))
        last = source
        for step in steps:
            name = result if step is steps[-1] else self._unused(f"{result}_product")
            self.nodes.append(replace(step, inputs=(last, *step.inputs[1:]), outputs=(name,)))
            last = name

    def _layer(self, product: Product) -> int:
        """Return the index of the layer with this weight, made on first use."""
        if product not in self._index:
            weight = self._constants[product.weight]
            if isinstance(weight, Coordinates):
                self._outputs_left -= weight.shape[0 if product.by_output else 1]
            if self._outputs_left < 0:
                raise UnsupportedError(
                    f"{self._file}: sparse tensor {product.weight!r:.120} of shape "
                    f"{list(weight.shape)}: layers of more than {LARGEST_POINTERS} outputs in all"
                )
            pattern, weights = pattern_and_weights(
                weight,
                self._masks.get(product.weight),
                by_output=product.by_output,
                what=f"{self._file}: weight {product.weight!r:.120}",
            )
            bias = None if product.bias is None else self._dense(product.bias).reshape(-1)
            self._index[product] = len(self.layers)
            self.layers.append(
                Layer(
                    unused(product.weight, self._names),
                    pattern,
                    weights,
                    bias,
                    kind="linear" if product.geometry is None else "conv",
                    geometry=product.geometry,
                )
            )
        return self._index[product]

    def _plain(self, node: Node) -> None:
        """Add a node as it is."""
        for name in node.inputs:
            self._read(name)
        self.nodes.append(node)

    def _read(self, name: str) -> None:
        """Make the constant of this name, if there is one, a dense tensor of the network."""
        if name in self._constants and name not in self.tensors:
            self.tensors[name] = self._dense(name)

    def _dense(self, name: str) -> NDArray[Any]:
        constant = self._constants[name]
        if isinstance(constant, np.ndarray):
            return constant
        self._left -= constant.nbytes
        if self._left < 0:
            raise UnsupportedError(
                f"{self._file}: sparse tensor {name!r:.120} of shape {list(constant.shape)} is no "
                f"weight of MatMul, Gemm or Conv; made dense, such tensors would take more than "
                f"{LARGEST_DENSE} bytes",
                hint="apply it as the second input of MatMul or Gemm, or the weight of Conv",
            )
        self.losses.append(f"the sparsity of {name!r:.80}, which is no weight and was made dense")
        return constant.dense()

    def _scalar(self, wanted: str, value: Any, product: Product) -> str:
        name = self._unused(wanted)
        self.tensors[name] = np.array(value, self._constants[product.weight].dtype)
        return name

    def _unused(self, wanted: str) -> str:
        return unused(wanted, self._taken)

    def _report(self) -> None:
        weights = {product.weight for product in self._index}
        if loose := (self._masks.keys() & self.tensors.keys()) - weights - self._kept.keys():
            self.losses.append(
                f"the masks of tensors that no MatMul, Gemm or Conv applies as its weight: "
                f"{shown(sorted(loose))}"
            )
        if self._kept:
            most = max(self._kept.values())
            self.losses.append(
                f"sparse layers of weights with fewer zeros than the threshold "
                f"{self._threshold:g} (at most {most:.3g}): {shown(self._kept)}"
            )
        if twice := weights & self.tensors.keys():
            self.losses.append(
                f"the tie between a layer and a dense tensor of the same weight: {shown(twice)}"
            )


def _places(node: Node, name: str) -> list[int]:
    """Return at which of its inputs a node reads a tensor."""
    return [place for place, given in enumerate(node.inputs) if given == name]
