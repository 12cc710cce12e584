"""The ONNX graph under construction: names, constants, nodes, and the layout of tensors.

Batch-major tensors are `[B, n]` (or any other rank) with neurons in their order. Feature-major
ones are `[1, N, B]` where products are pointwise convolutions and `[N, B]` where they are MatMuls;
their rows may lie in any order, with padding rows between. The convolutions are one-dimensional:
onnxruntime's default level puts nodes that reorder memory around two-dimensional ones.
"""

from __future__ import annotations

from hashlib import sha256
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from radixfmt.export.accepts import fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.native.nodes import Lowered
    from radixfmt.native.packed import Packed

BATCH_MAJOR, FEATURE_MAJOR = "batch-major", "feature-major"


class Tensor(NamedTuple):
    """A tensor of the graph.

    Attributes:
        name: in the ONNX graph.
        place: feature-major: int64 `[n]`, the row of each neuron; None: batch-major.
        size: feature-major: number of rows, padding included.
    """

    name: str
    place: NDArray[np.int64] | None = None
    size: int = 0


class GraphBuilder:
    """Collects nodes and constants under unique names.

    Args:
        dtype: of activations and weights, but for layers that stand apart.
        target: "cpu" or "cuda".
        reserved: names that are taken from the beginning.

    Attributes:
        model: what is being made; weights are held there and nowhere else.
        nodes: of its graph.
        functions: definitions of operators that are not ONNX's own, by name.
        convolutions: whether feature-major products are grouped pointwise convolutions, which fuse
            with bias and activation, or batched MatMuls.
        constant_bytes: of all constants so far, as the model holds them.
        expanded_bytes: of sparse constants and operators, once a runtime has made them dense.
    """

    def __init__(self, dtype: np.dtype[Any], *, target: str, reserved: Sequence[str]) -> None:
        import onnx

        self.dtype = dtype
        self.target = target
        # onnxruntime's CPU Conv is float32 only; cuDNN's grouped one is slow
        self.convolutions = target == "cpu" and dtype == np.float32
        self.model = onnx.ModelProto()
        self.nodes: Any = self.model.graph.node
        self.functions: dict[str, onnx.FunctionProto] = {}
        self.constant_bytes = 0
        self.expanded_bytes = 0
        self._names = set(reserved)
        self._counts: dict[str, int] = {}
        self._constants: dict[tuple[Any, ...], str] = {}
        self._turned: dict[tuple[str, ...], str] = {}

    def unique(self, wanted: str) -> str:
        """Return `wanted`, or it with a number if the name is taken, and take it."""
        name, count = wanted, self._counts.get(wanted, 1)
        while name in self._names:
            count += 1
            name = f"{wanted}_{count}"
        self._counts[wanted] = count  # the next one starts here: many may want one name
        self._names.add(name)
        return name

    def constant(self, wanted: str, array: NDArray[Any]) -> str:
        """Return the name of an initializer with these elements.

        Equal ones are shared by those who want the same name, as the nodes that apply one layer do.
        """
        array = np.ascontiguousarray(array).reshape(array.shape)  # it makes scalars [1]
        key = (wanted, array.dtype.str, array.shape, _content(array))
        if key not in self._constants:
            self._constants[key] = name = self.unique(wanted)
            self.keep(name, array)
        return self._constants[key]

    def sparse_constant(
        self, wanted: str, shape: tuple[int, int], cells: NDArray[np.int64], values: NDArray[Any]
    ) -> str:
        """Return the name of a sparse initializer, shared as `constant`'s are.

        Args:
            wanted: its name.
            shape: of the matrix.
            cells: `[nnz]` places in the flat matrix, ascending.
            values: `[nnz]`.
        """
        key = (wanted, "sparse", shape, _content(cells), _content(values))
        if key not in self._constants:
            self._constants[key] = name = self.unique(wanted)
            sparse = self.model.graph.sparse_initializer.add(dims=shape)
            self._fill(sparse.values, name, values)
            self._fill(sparse.indices, self.unique(f"{wanted}/cells"), cells)
            self.expanded_bytes += prod(shape) * values.itemsize
        return self._constants[key]

    def keep(self, name: str, array: NDArray[Any]) -> None:
        """Add an initializer under a name that is reserved for it."""
        self._fill(self.model.graph.initializer.add(), name, array)

    def add(self, op: str, inputs: Sequence[str], wanted: str, **attributes: Any) -> str:
        """Add a node with one output, named like it, and return the name."""
        from onnx import helper

        name = self.unique(wanted)
        self.nodes.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def call(self, made: Lowered, layers: Sequence[Packed]) -> None:
        """Add a node of a native operator, named like its output, and its constants."""
        from onnx import numpy_helper

        node = made.node
        node.name = node.output[0]
        for i, constant in enumerate(made.constants):
            array = numpy_helper.to_array(constant)
            node.input[i + 1] = self.constant(constant.name, array)
        self.nodes.append(node)
        self.functions[made.function.name] = made.function
        self.expanded_bytes += sum(layer.body_bytes for layer in layers if layer.form == "rows")

    def bias(self, layer: Layer, dtype: np.dtype[Any] | None = None) -> NDArray[Any]:
        """Return the layer's bias as `[n_out]` of `dtype`, by default the model's."""
        assert layer.bias is not None  # noqa: S101  callers ask first
        values = fitted(f"{layer.name}: bias", layer.bias, dtype or self.dtype)
        return np.broadcast_to(values, (layer.pattern.shape[1],))

    def gather(self, scope: str, x: Tensor, rows: NDArray[np.int64]) -> str:
        """Return rows `[groups, k]` of feature-major `x`, as `product` takes them."""
        identity = rows.size == x.size and bool((rows.reshape(-1) == np.arange(rows.size)).all())
        if self.convolutions:
            if identity:
                return x.name
            index = self.constant(f"{scope}/rows", rows.reshape(-1))
            return self.add("Gather", [x.name, index], f"{scope}/gather", axis=1)
        if identity:
            shape = self.constant(f"{scope}/groups", np.array([*rows.shape, -1], np.int64))
            return self.add("Reshape", [x.name, shape], f"{scope}/grouped")
        index = self.constant(f"{scope}/rows", rows)
        return self.add("Gather", [x.name, index], f"{scope}/gather", axis=0)

    def product(self, scope: str, x: str, weight: NDArray[Any], bias: NDArray[Any] | None) -> str:
        """Return the feature-major product of a matrix, or of one per group.

        Args:
            scope: prefix of names.
            x: a feature-major tensor; for groups, what `gather` returned.
            weight: `[m, k]`, or `[groups, m, k]`.
            bias: `[groups · m]` or None.
        """
        groups = weight.shape[0] if weight.ndim == 3 else 1
        m, k = weight.shape[-2:]
        if self.convolutions:
            kernel = weight.reshape(groups * m, k, 1)
            inputs = [x, self.constant(f"{scope}/weight", kernel)]
            if bias is not None:
                inputs.append(self.constant(f"{scope}/bias", bias))
            return self.add("Conv", inputs, f"{scope}/conv", group=groups, kernel_shape=[1])
        # both sides carry the group axis: cuBLAS then needs one strided call
        made = self.add("MatMul", [self.constant(f"{scope}/weight", weight), x], f"{scope}/matmul")
        if bias is not None:
            column = self.constant(f"{scope}/bias", bias.reshape(*weight.shape[:-1], 1))
            made = self.add("Add", [made, column], f"{scope}/add")
        if weight.ndim == 3:
            shape = self.constant(f"{scope}/flat", np.array([groups * m, -1], np.int64))
            made = self.add("Reshape", [made, shape], f"{scope}/ungrouped")
        return made

    def to_features(self, x: Tensor, width: int) -> Tensor:
        """Return `x` feature-major; a batch-major `x` is `[B, width]`."""
        if x.place is not None:
            return x
        turned = self._once("Transpose", x.name, f"{x.name}/turned", perm=[1, 0])
        return self.from_columns(turned, width)

    def from_columns(self, name: str, width: int) -> Tensor:
        """Return the feature-major tensor of a plain `[width, B]` one."""
        if self.convolutions:
            axes = self.constant("axes", np.array([0], np.int64))
            name = self._once("Unsqueeze", name, f"{name}/features", axes)
        return Tensor(name, np.arange(width), width)

    def to_columns(self, x: Tensor) -> str:
        """Return `x` as a plain `[n, B]` tensor, neurons in their order."""
        if x.place is None:
            return self._once("Transpose", x.name, f"{x.name}/turned", perm=[1, 0])
        name = x.name
        if self.convolutions:
            axes = self.constant("axes", np.array([0], np.int64))
            name = self._once("Squeeze", name, f"{name}/columns", axes)
        if x.place.size == x.size and bool((x.place == np.arange(x.size)).all()):
            return name
        index = self.constant(f"{x.name}/order", x.place)
        return self._once("Gather", name, f"{x.name}/ordered", index, axis=0)

    def to_rows(self, x: Tensor) -> Tensor:
        """Return `x` batch-major, neurons in their order."""
        if x.place is None:
            return x
        columns = self.to_columns(x)
        return Tensor(self._once("Transpose", columns, f"{x.name}/rows", perm=[1, 0]))

    def rename(self, old: str, new: str) -> None:
        """Call the tensor `old`, which a node makes, `new` everywhere."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    if name == old:
                        names[i] = new

    def _once(self, op: str, source: str, wanted: str, *more: str, **attributes: Any) -> str:
        """Add a change of layout, unless the same tensor has been through it already."""
        key = (op, source, *more)
        if key not in self._turned:
            self._turned[key] = self.add(op, [source, *more], wanted, **attributes)
        return self._turned[key]

    def _fill(self, tensor: onnx.TensorProto, name: str, array: NDArray[Any]) -> None:
        """Give a tensor of the model, which nobody copies any more, its name and elements."""
        from onnx import helper

        tensor.name = name
        tensor.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor.dims.extend(array.shape)
        little = array.dtype.newbyteorder("<")  # as ONNX has it
        tensor.raw_data = array.astype(little, copy=False).tobytes()
        self.constant_bytes += array.nbytes


def _content(array: NDArray[Any]) -> bytes:
    """Return what tells an array from others of its type and shape."""
    plain = np.ascontiguousarray(array).reshape(-1).view(np.uint8)  # bfloat16 has no buffer
    return sha256(plain.data).digest()
