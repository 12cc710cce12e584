"""One walk over a network's graph, in which every node becomes nodes of the ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from radixfmt.export.accepts import native
from radixfmt.export.graph import FEATURE_MAJOR, GraphBuilder, Tensor
from radixfmt.export.lowerings import lowering
from radixfmt.export.lowerings.dense import matrix
from radixfmt.export.shapes import node_proto
from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from radixfmt.export.planner import Plan
    from radixfmt.model.graph import Node
    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network


class Walk:
    """The tensors made so far, by the network's names for them.

    Args:
        network: being exported.
        layers: its layers, made.
        plans: one for each layer.
        graph: takes the nodes.
        layout: of the model's inputs and outputs.
    """

    def __init__(
        self,
        network: Network,
        layers: Sequence[Layer],
        plans: Sequence[Plan],
        graph: GraphBuilder,
        layout: str,
    ) -> None:
        self._network, self._layers, self._plans = network, layers, plans
        self._graph, self._layout = graph, layout
        self._tensors: dict[str, Tensor] = {}
        for value in network.inputs:
            self._tensors[value.name] = (
                graph.from_columns(value.name, int(value.shape[1]))
                if layout == FEATURE_MAJOR
                else Tensor(value.name)
            )

    def emit(self, i: int, node: Node) -> None:
        """Add the i-th node; elementwise ones keep whatever layout and order their input has."""
        graph = self._graph
        if node.layer is not None:
            self._tensors[node.outputs[0]] = self._layer(node.layer, self._tensor(node.inputs[0]))
            return
        if node.op in ELEMENTWISE:
            x = self._tensor(node.inputs[0])
            inputs = [x.name, *map(self._bound, node.inputs[1:])]
        else:
            x = Tensor("")
            inputs = [graph.to_rows(self._tensor(n)).name if n else "" for n in node.inputs]
        names = [graph.unique(name) if name else "" for name in node.outputs]
        graph.nodes.append(node_proto(i, node, inputs, names))
        for output, name in zip(node.outputs, names, strict=True):
            self._tensors[output] = x._replace(name=name)

    def finish(self) -> None:
        """Bring the outputs into the model's layout and under their names."""
        from onnx import helper

        graph = self._graph
        fixed = {value.name for value in self._network.inputs}
        fixed |= {constant.name for constant in graph.initializers}
        for value in self._network.outputs:
            x = self._tensor(value.name)
            name = graph.to_columns(x) if self._layout == FEATURE_MAJOR else graph.to_rows(x).name
            if name in fixed:  # an input, a constant, or another output handed through
                graph.nodes.append(helper.make_node("Identity", [name], [value.name], value.name))
            elif name != value.name:
                graph.rename(name, value.name)
            fixed.add(value.name)

    def _layer(self, index: int, x: Tensor) -> Tensor:
        graph, layer, plan = self._graph, self._layers[index], self._plans[index]
        if not plan.flat:
            weight = graph.constant(f"{layer.name}/weight", matrix(layer, graph.dtype))
            rows = graph.to_rows(x).name
            made = graph.add("MatMul", [rows, weight], f"{layer.name}/matmul")
            if layer.bias is not None:
                bias = graph.constant(f"{layer.name}/bias", graph.bias(layer))
                made = graph.add("Add", [made, bias], f"{layer.name}/add")
            return Tensor(made)
        if plan.layout == FEATURE_MAJOR:
            x = graph.to_features(x, layer.pattern.shape[0])
        else:
            x = graph.to_rows(x)
        return lowering[plan.lowering]().emit(graph, layer, plan.estimate.form, x)

    def _tensor(self, name: str) -> Tensor:
        """Return a tensor made before, or a dense one of the network as a constant."""
        if name not in self._tensors:
            array = native(self._network.tensors[name])
            self._tensors[name] = Tensor(self._graph.constant(name, array))
        return self._tensors[name]

    def _bound(self, name: str) -> str:
        """Return a scalar input of an elementwise operator, in the model's dtype."""
        if name in self._network.tensors:
            array = np.asarray(self._network.tensors[name]).astype(self._graph.dtype)
            return self._graph.constant(name, array)
        return self._graph.to_rows(self._tensor(name)).name if name else ""
