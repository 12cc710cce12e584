"""Starting onnxruntime: what it loads, on which provider, with which options."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radixfmt import native
from radixfmt.backends.device import CUDA, onnxruntime
from radixfmt.backends.precision import FLOAT32, TF32, narrowed
from radixfmt.errors import (
    DeviceError,
    ParameterError,
    PathError,
    RadixfmtError,
    UnsupportedError,
)
from radixfmt.export.save import readable
from radixfmt.model.graph import ELEMENT_TYPES
from radixfmt.model.network import Network

if TYPE_CHECKING:
    import onnx

ELEMENTS = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    **{f"tensor({name})": name for name in ELEMENT_TYPES if not name.startswith("float")},
    "tensor(float16)": "float16",
}
"""Element types that inputs and outputs may have, by onnxruntime's names."""


def loadable(
    source: Any, *, lowering: str, target: str, precision: str = FLOAT32
) -> bytes | str | onnx.ModelProto:
    """Return what onnxruntime is to load: a model, its bytes, or the path of an ONNX file.

    Args:
        source: a Network, a path to a `.rx.h5` or `.onnx` file, or an ONNX model or its bytes.
        lowering: how a network is exported; of a model that is settled.
        target: "cpu" or "cuda".
        precision: one of `precision.PRECISIONS`; a 16-bit one asks for a network.

    Raises:
        ParameterError: a source of another kind, or a lowering or precision that comes too late.
        PathError: there is no such file.
        UnsupportedError: the network cannot be exported.
    """
    if isinstance(source, Network):
        from radixfmt.export import export

        compiled = precision == FLOAT32 and has_kernels(target)
        made = export(
            source,
            lowering=lowering,
            target=target,
            compiled=compiled,
            allow_dense=lowering in ("auto", "native") and native.library() is not None,
        )
        return narrowed(made.model, precision)
    if isinstance(source, str | os.PathLike) and not os.fspath(source).endswith(".onnx"):
        from radixfmt.storage import reader

        with reader.open(source, verify=True) as network:
            return loadable(network, lowering=lowering, target=target, precision=precision)
    if lowering != "auto":
        raise ParameterError(
            f"lowering: an ONNX model has its lowering already, got {lowering!r}",
            hint="give the .rx.h5 file it was exported from",
        )
    if precision not in (FLOAT32, TF32):
        raise ParameterError(
            f"precision: an ONNX model has its element types already, got {precision!r}",
            hint="give the .rx.h5 file it was exported from",
        )
    if isinstance(source, str | os.PathLike):
        if not Path(source).is_file():
            raise PathError(f"{os.fspath(source)}: there is no such file")
        return os.fspath(source)
    if isinstance(source, bytes) or hasattr(source, "SerializeToString"):
        return source
    raise ParameterError(
        "source: expected a Network, a path, or an ONNX model or its bytes, got "
        f"{type(source).__name__}"
    )


def has_kernels(target: str) -> bool:
    """Return whether compiled operators can be counted on; on CUDA nothing is known of their speed.

    Their definitions, which may be large matrices, then stay what is written and not run.
    """
    return target == "cpu" and native.library() is not None


def start(
    model: bytes | str | onnx.ModelProto,
    kind: str,
    *,
    threads: int = 1,
    tf32: bool = False,
    cuda_graph: bool = False,
    profile: Path | None = None,
) -> Any:
    """Return an onnxruntime session on `kind` and on nothing else.

    Args:
        model: of `loadable`.
        kind: "cpu" or "cuda".
        threads: inside each operator, on the CPU.
        tf32: let CUDA round the inputs of products to 10 bits of mantissa, compiled operators' too.
        cuda_graph: record the kernels of a run once and replay them.
        profile: prefix of the file in which each node's time and provider are written.

    Raises:
        DeviceError: CUDA cannot run the model, or was not used.
        UnsupportedError: onnxruntime refuses the model.
    """
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.graph_optimization_level = _level(model, runtime.GraphOptimizationLevel)
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    native.register(options, tf32=tf32)
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    providers: list[Any] = ["CPUExecutionProvider"]
    if kind == "cuda":
        runtime.preload_dlls()
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        chosen = {"use_tf32": str(int(tf32)), "enable_cuda_graph": str(int(cuda_graph))}
        providers = [(CUDA, chosen)]
    found = nullcontext(model) if isinstance(model, bytes | str) else readable(model)
    try:
        with found as content:
            session = runtime.InferenceSession(content, options, providers=providers)
    except RadixfmtError:
        raise
    except Exception as error:  # onnxruntime's own exceptions share no base but this one
        if kind == "cuda":
            raise DeviceError(
                f"device cuda: onnxruntime cannot run this model there: {error}",
                hint="use --device cpu",
            ) from error
        raise UnsupportedError(f"onnxruntime refuses the model: {error}") from error
    used = session.get_providers()[0]
    if kind == "cuda" and used != CUDA:
        raise DeviceError(
            f"device cuda: onnxruntime fell back to {used}",
            hint="pip install 'radixfmt[gpu]' brings the CUDA libraries it needs",
        )
    return session


def _level(model: bytes | str | onnx.ModelProto, levels: Any) -> Any:
    """Return how far onnxruntime rearranges the graph.

    ALL lays the channels of convolutions over an image out in blocks (1.6 times as fast), and
    crashes on some float16 graphs (microsoft/onnxruntime#28392): it is for models known to have
    the one and not the other.
    """
    from onnx import TensorProto

    if isinstance(model, bytes | str):
        return levels.ORT_ENABLE_EXTENDED
    images = any(
        len(attribute.ints) > 1
        for node in model.graph.node
        if node.op_type == "Conv"
        for attribute in node.attribute
        if attribute.name == "kernel_shape"
    )
    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if images and not any(tensor.data_type in halves for tensor in model.graph.initializer):
        return levels.ORT_ENABLE_ALL
    return levels.ORT_ENABLE_EXTENDED


def served(session: Any) -> tuple[list[Any], list[Any]]:
    """Return the inputs and outputs of a session.

    Raises:
        UnsupportedError: there are none, or an input's type is none that numpy has.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if not inputs or not outputs:
        raise UnsupportedError(
            f"expected a model of inputs and outputs, got {len(inputs)} and {len(outputs)}"
        )
    for given in inputs:
        if given.type not in ELEMENTS:
            raise UnsupportedError(f"input {given.name!r}: {given.type} is not served")
    return inputs, outputs
