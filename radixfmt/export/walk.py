"""One walk over a network's graph, in which every node becomes nodes of the ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import UnsupportedError
from radixfmt.export import apart, fused
from radixfmt.export.accepts import element_type, native
from radixfmt.export.graph import FEATURE_MAJOR, GraphBuilder, Tensor
from radixfmt.export.lowerings import lowering
from radixfmt.export.nodes import node_proto
from radixfmt.export.shapes import float_of, leading, rank
from radixfmt.model.graph import ELEMENTWISE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

    from radixfmt.export.fused import Pass
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
        types: of the network's tensors, as far as they are known.
        graph: takes the nodes.
        layout: of the model's inputs and outputs.
        passes: nodes that are made together.
    """

    def __init__(
        self,
        network: Network,
        layers: Sequence[Layer],
        plans: Sequence[Plan],
        types: Mapping[str, onnx.TypeProto],
        graph: GraphBuilder,
        layout: str,
        passes: Sequence[Pass] = (),
    ) -> None:
        self._network, self._layers, self._plans = network, layers, plans
        self._types, self._graph, self._layout = types, graph, layout
        self._passes = {found.nodes[0]: found for found in passes}
        self._covered = {i for found in passes for i in found.nodes[1:]}
        self._stack = fused.longest(passes)
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
        if i in self._covered:
            return
        if i in self._passes:
            found = self._passes[i]
            read = graph.to_rows(self._tensor(found.source)).name
            stacked = found is self._stack
            made = fused.emit(graph, found, self._layers, self._plans, read, stacked=stacked)
            self._tensors[found.result] = Tensor(made)
            return
        if node.layer is not None:
            self._tensors[node.outputs[0]] = self._layer(node.layer, node.inputs[0])
            return
        if node.op in ELEMENTWISE:
            x = self._tensor(node.inputs[0])
            kind = float_of(self._types.get(node.inputs[0]))
            inputs = [x.name, *(self._bound(name, kind) for name in node.inputs[1:])]
        else:
            x = Tensor("")
            inputs = [graph.to_rows(self._tensor(n)).name if n else "" for n in node.inputs]
        names = [graph.unique(name) if name else "" for name in node.outputs]
        graph.nodes.append(node_proto(i, node, inputs, names))
        for output, name in zip(node.outputs, names, strict=True):
            self._tensors[output] = x._replace(name=name)

    def finish(self) -> None:
        """Bring the outputs into the model's layout, into their types and under their names."""
        from onnx import helper

        graph = self._graph
        fixed = {value.name for value in self._network.inputs} | self._network.tensors.keys()
        for value in self._network.outputs:
            x = self._tensor(value.name)
            name = graph.to_columns(x) if self._layout == FEATURE_MAJOR else graph.to_rows(x).name
            made = float_of(self._types.get(value.name))
            wanted = element_type(value.name, value.dtype)
            if name == value.name:
                continue  # an input or a dense tensor is an output as it stands
            if made is not None and wanted.kind != "f":
                raise UnsupportedError(
                    f"output {value.name!r}: expected {made}, which its node makes, got {wanted}",
                    hint="put a Cast before it",
                )
            if made is not None and made != wanted:
                to = helper.np_dtype_to_tensor_dtype(wanted)
                graph.nodes.append(
                    helper.make_node("Cast", [name], [value.name], value.name, to=to)
                )
            elif name in fixed:  # an input, a dense tensor, or another output handed through
                graph.nodes.append(helper.make_node("Identity", [name], [value.name], value.name))
            else:
                graph.rename(name, value.name)
            fixed.add(value.name)

    def _layer(self, index: int, source: str) -> Tensor:
        graph, layer, plan = self._graph, self._layers[index], self._plans[index]
        x, kind = self._tensor(source), self._types.get(source)
        deep = (rank(kind) or 0) > 2
        if plan.apart or (deep and plan.lowering == "dense" and plan.layout != FEATURE_MAJOR):
            rows = graph.to_rows(x).name
            made = apart.emit(graph, layer, plan.estimate.form, rows, float_of(kind) or graph.dtype)
            return Tensor(made)
        if deep:
            return self._deep(layer, plan, x.name, leading(self._types[source]))
        if plan.layout == FEATURE_MAJOR:
            x = graph.to_features(x, layer.pattern.shape[0])
        else:
            x = graph.to_rows(x)
        return lowering[plan.lowering]().emit(graph, layer, plan.estimate.form, x)

    def _deep(self, layer: Layer, plan: Plan, x: str, sizes: list[int] | None) -> Tensor:
        """Apply a lowering to `[…, n_in]`, all axes but the last taken as one."""
        graph, (n_in, n_out) = self._graph, layer.pattern.shape
        rows = graph.constant("rows", np.array([-1, n_in]))
        flat = Tensor(graph.add("Reshape", [x, rows], f"{layer.name}/rows"))
        if plan.layout == FEATURE_MAJOR:
            flat = graph.to_features(flat, n_in)
        made = lowering[plan.lowering]().emit(graph, layer, plan.estimate.form, flat)
        if sizes is None:
            axes = graph.add("Shape", [x], f"{layer.name}/axes", start=0, end=-1)
            width = graph.constant("width", np.array([n_out]))
            shape = graph.add("Concat", [axes, width], f"{layer.name}/shape", axis=0)
        else:
            shape = graph.constant("shape", np.array([*sizes, n_out]))
        return Tensor(
            graph.add("Reshape", [graph.to_rows(made).name, shape], f"{layer.name}/result")
        )

    def _tensor(self, name: str) -> Tensor:
        """Return a tensor made before, or a dense one of the network as a constant."""
        if name not in self._tensors:
            self._graph.keep(name, native(self._network.tensors[name]))
            self._tensors[name] = Tensor(name)
        return self._tensors[name]

    def _bound(self, name: str, kind: np.dtype[Any] | None) -> str:
        """Return a bound of Clip, as floats of the type that it bounds."""
        given = self._network.tensors.get(name)
        if given is not None and kind is not None and native(given).dtype != kind:
            with np.errstate(over="ignore"):  # no float16 is beyond such a bound
                return self._graph.constant(f"{name}/{kind}", np.asarray(given).astype(kind))
        return self._graph.to_rows(self._tensor(name)).name if name else ""
