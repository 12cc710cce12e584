"""onnxruntime's own sparse operator, `SparseToDenseMatMul`: a peer to measure against.

onnxruntime 1.31 cannot keep its sparse matrix in a model (an initializer becomes dense, and is then
refused), so each layer's is an input, fed anew with every call. CPU only, one thread; COO, because
Python's bindings hand CSR to a kernel that is many times slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.device import onnxruntime
from radixfmt.backends.runtime import start
from radixfmt.backends.scipy import ScipySession
from radixfmt.errors import UnsupportedError
from radixfmt.export.accepts import native
from radixfmt.export.nodes import FLOAT, IR_VERSION, OPSET, node_proto
from radixfmt.model.graph import topological_order

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from radixfmt.model.network import Network

DOMAIN = "com.microsoft"


class SparseToDenseSession(ScipySession):
    """As `ScipySession`, with all layers in one onnxruntime model that takes them as inputs.

    Only for a process of its own, as `bench` gives every engine: after onnxruntime 1.31 has held
    sparse tensors, Python's garbage collection can crash.

    Args:
        network: of linear layers with weights and elementwise operators.
        tile: samples per tile.

    Raises:
        UnsupportedError: the network is no such chain, or onnxruntime refuses the model.
    """

    provider = "CPUExecutionProvider"

    def __init__(self, network: Network, *, tile: int | None = None) -> None:
        super().__init__(network, tile=tile)
        self._session = start(_model(network, self._layers), "cpu")
        self._x = network.inputs[0].name
        self._feeds = {_matrix(i): _value(matrix) for i, (matrix, _) in enumerate(self._layers)}
        self._layers = []

    def _walk(self, columns: NDArray[Any]) -> NDArray[Any]:
        value = onnxruntime().OrtValue.ortvalue_from_numpy(columns)
        try:
            [made] = self._session.run_with_ort_values(None, {self._x: value, **self._feeds})
        except Exception as error:  # onnxruntime's own exceptions share no base but this one
            raise UnsupportedError(f"onnxruntime fails on sparse inputs: {error}") from error
        y: NDArray[Any] = made.numpy()
        return y


def _matrix(i: int) -> str:
    """Return the name of the input that is a layer's matrix."""
    return f"radixfmt/matrix{i}"


def _value(matrix: Any) -> Any:
    """Return a scipy matrix as onnxruntime's COO."""
    runtime = onnxruntime()
    entries = matrix.tocoo()
    places = np.stack([entries.row, entries.col], axis=1).astype(np.int64)
    sparse = runtime.SparseTensor.sparse_coo_from_numpy(
        np.array(matrix.shape, np.int64), entries.data, places, runtime.OrtDevice.make("cpu", 0)
    )
    return runtime.OrtValue.ort_value_from_sparse_tensor(sparse)


def _model(network: Network, layers: list[Any]) -> onnx.ModelProto:
    """Return the network on `[n, B]`, its matrices as sparse inputs."""
    from onnx import helper, numpy_helper

    nodes, constants, inputs = [], [], []
    for i in topological_order(network.graph) or ():
        node = network.graph[i]
        if node.layer is None:
            nodes.append(node_proto(i, node, node.inputs, node.outputs))
            continue
        name, (_, bias) = _matrix(node.layer), layers[node.layer]
        made = node.outputs[0] if bias is None else f"{node.outputs[0]}/product"
        operands = [name, node.inputs[0]]
        nodes.append(helper.make_node("SparseToDenseMatMul", operands, [made], domain=DOMAIN))
        if bias is not None:
            constants.append(numpy_helper.from_array(np.array(bias), f"{name}/bias"))
            nodes.append(helper.make_node("Add", [made, f"{name}/bias"], [node.outputs[0]]))
    inputs = [
        helper.make_sparse_tensor_value_info(_matrix(i), FLOAT, matrix.shape)
        for i, (matrix, _) in enumerate(layers)
    ]
    constants += [
        numpy_helper.from_array(native(array).astype(np.float32), name)
        for name, array in network.tensors.items()
    ]
    x, y = (
        helper.make_tensor_value_info(value.name, FLOAT, [None, None])
        for value in (network.inputs[0], network.outputs[0])
    )
    return helper.make_model(
        helper.make_graph(nodes, "sparse", [x, *inputs], [y], constants),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
    )
