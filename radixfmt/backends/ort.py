"""onnxruntime: the way networks are meant to run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from radixfmt.backends import backend
from radixfmt.backends.device import CUDA, cores, onnxruntime, resolve
from radixfmt.backends.samples import TILE, checked, tile_for, tiles
from radixfmt.errors import DeviceError, InputError, ParameterError, PathError, UnsupportedError
from radixfmt.model.graph import ELEMENT_TYPES
from radixfmt.model.network import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CUDA_TILE = 2048
"""Rows per tile on CUDA: two layers' activations of 1024 neurons in a 50 MB second-level cache."""

ELEMENTS = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    **{f"tensor({name})": name for name in ELEMENT_TYPES if not name.startswith("float")},
    "tensor(float16)": "float16",
}


@backend("ort")
class Session:
    """A network or an ONNX model running on one execution provider.

    The batch is cut into tiles of rows whose activations stay in cache; a model exported here that
    does not promise independent rows gets the batch whole. With several threads,
    each works on its own tiles over one single-threaded onnxruntime session, which lets go of
    Python's lock while it computes: steadier than threads inside each small operator.

    Args:
        source: a Network, a path to a `.rx.h5` or `.onnx` file, or an ONNX model or its bytes,
            with independent rows, or one exported here, which says whether they are.
        device: "cpu", "cuda", or "auto": CUDA wherever the driver reports a device.
        threads: None for all cores this process may use.
        lowering: how a network is exported; of a model that is settled.
        tile: rows per tile; None for the measured default.

    Attributes:
        provider: the execution provider, as onnxruntime reports it.
        threads: how many are used.

    Raises:
        DeviceError: CUDA was asked for and is not there, or was not used.
        MissingDependencyError: onnxruntime is missing, or installed twice.
        UnsupportedError: the network or the model's inputs and outputs cannot be served.
    """

    def __init__(
        self,
        source: Any,
        *,
        device: str = "auto",
        threads: int | None = None,
        lowering: str = "auto",
        tile: int | None = None,
    ) -> None:
        for name, value in (("threads", threads), ("tile", tile)):
            if value is not None and value < 1:
                raise ParameterError(f"{name}: expected at least 1, got {value}")
        kind = resolve(device)
        model = _model(source, lowering, kind)
        self._session = _start(model, kind)
        self.provider: str = self._session.get_providers()[0]
        self.threads = 1 if kind == "cuda" else threads or cores()
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if not inputs or not outputs:
            raise UnsupportedError(
                f"expected a model of inputs and outputs, got {len(inputs)} and {len(outputs)}"
            )
        for given in inputs:
            if given.type not in ELEMENTS:
                raise UnsupportedError(f"input {given.name!r}: {given.type} is not served")
        self._inputs, self._outputs = inputs, outputs
        self._input = inputs[0]
        metadata = self._session.get_modelmeta().custom_metadata_map
        width = next((n for n in reversed(self._input.shape) if isinstance(n, int)), 1)
        # dense layers are bound by their weights, not by activations: never fewer rows than TILE
        rows = TILE if metadata.get("radixfmt.lowering") == "dense" else tile_for(width)
        self._tile = tile or (CUDA_TILE if kind == "cuda" else rows)
        self._axis = 1 if metadata.get("radixfmt.layout") == "feature-major" else 0
        self._independent = metadata.get("radixfmt.rows") != "together"
        if not self._independent and self.threads > 1:  # threads inside operators are what is left
            self._session = _start(model, kind, self.threads)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def run(self, x: Any) -> NDArray[Any]:
        """Return the outputs of samples `x`.

        Args:
            x: `[B, n_in]` numbers of any type, B ≥ 0; `[n_in, B]` for a feature-major model.

        Raises:
            InputError: another shape, or not numbers.
            ParameterError: the session is closed.
            UnsupportedError: onnxruntime fails on these samples, or the model has several inputs
                or outputs.
        """
        if self._session is None:
            raise ParameterError("session: it is closed; expected an open one")
        if len(self._inputs) != 1 or len(self._outputs) != 1 or not self._input.shape:
            raise UnsupportedError(
                f"expected a model of one input with rows and one output, got inputs "
                f"{[i.name for i in self._inputs]} and outputs {[o.name for o in self._outputs]}",
                hint="Session.run_named takes arrays by name",
            )
        if not self._independent:
            y: NDArray[Any] = self.run_named({self._input.name: x})[self._outputs[0].name]
            return y
        shape, axis = self._input.shape, self._axis
        dtype = np.dtype(ELEMENTS[self._input.type])
        if axis:
            x = checked(x, None, dtype)
            if x.shape[0] != shape[0]:
                raise InputError(f"input: expected n_in = {shape[0]} rows, got {x.shape[0]}")
        else:
            width = shape[-1] if len(shape) > 1 and isinstance(shape[-1], int) else None
            x = checked(x, width, dtype, rank=len(shape))
        rows = x.shape[axis]
        if rows == 0:  # one sample tells the shape of what is then cut to none
            blank = self._call(np.zeros([*x.shape[:axis], 1, *x.shape[axis + 1 :]], dtype))
            return blank[:, :0] if axis else blank[:0]
        fixed = shape[axis] if isinstance(shape[axis], int) else None
        tile = fixed or min(self._tile, -(-rows // self.threads))
        before = (slice(None),) * axis
        pieces = [(*before, slice(*ends)) for ends in tiles(rows, tile)]
        if self._pool is None or len(pieces) == 1:
            made = [self._call(x[piece]) for piece in pieces]
        else:
            made = list(self._pool.map(lambda piece: self._call(x[piece]), pieces))
        return made[0] if len(made) == 1 else np.concatenate(made, axis)

    def _call(self, x: NDArray[Any]) -> NDArray[Any]:
        """Run one tile; one too short for a model of fixed batch is filled up with zeros."""
        axis, rows = self._axis, x.shape[self._axis]
        fixed = self._input.shape[axis]
        short = fixed - rows if isinstance(fixed, int) else 0
        if short:
            filling = [(0, short if i == axis else 0) for i in range(x.ndim)]
            x = np.pad(x, filling)
        try:
            y: NDArray[Any] = self._session.run(None, {self._input.name: x})[0]
        except Exception as error:  # onnxruntime's own exceptions share no base but this one
            raise UnsupportedError(f"onnxruntime fails on these samples: {error}") from error
        return y.take(range(rows), axis) if short else y

    def run_named(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return all outputs by name, for inputs by name, in one call: nothing is cut into tiles.

        Args:
            arrays: for each input of the model, of its shape; numbers of any type.

        Raises:
            InputError: other names or shapes, or not numbers.
            ParameterError: the session is closed.
            UnsupportedError: onnxruntime fails on these arrays.
        """
        if self._session is None:
            raise ParameterError("session: it is closed; expected an open one")
        if arrays.keys() != {given.name for given in self._inputs}:
            raise InputError(
                f"inputs: expected {[given.name for given in self._inputs]}, got {list(arrays)}"
            )
        feeds = {}
        for given in self._inputs:
            dtype = np.dtype(ELEMENTS[given.type])
            feeds[given.name] = checked(arrays[given.name], None, dtype, rank=len(given.shape))
        try:
            found = self._session.run(None, feeds)
        except Exception as error:  # onnxruntime's own exceptions share no base but this one
            raise UnsupportedError(f"onnxruntime fails on these samples: {error}") from error
        return {output.name: y for output, y in zip(self._outputs, found, strict=True)}

    @property
    def layout(self) -> str:
        """How samples lie: "batch-major", in rows, or "feature-major", in columns."""
        return "feature-major" if self._axis else "batch-major"

    @property
    def features(self) -> int | None:
        """Values per sample, n_in; None where the model leaves that open."""
        size = self._input.shape[0 if self._axis else -1]
        return size if isinstance(size, int) else None

    def close(self) -> None:
        """End the threads and let go of the model."""
        if self._pool is not None:
            self._pool.shutdown()
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _model(source: Any, lowering: str, target: str) -> bytes | str:
    """Return what onnxruntime loads: the bytes of a model, or the path of an ONNX file."""
    if isinstance(source, Network):
        from radixfmt.export import to_onnx

        content: bytes = to_onnx(source, lowering=lowering, target=target).SerializeToString()
        return content
    if isinstance(source, str | os.PathLike) and not os.fspath(source).endswith(".onnx"):
        from radixfmt.storage import reader

        with reader.open(source, verify=True) as network:
            return _model(network, lowering, target)
    if lowering != "auto":
        raise ParameterError(
            f"lowering: an ONNX model has its lowering already, got {lowering!r}",
            hint="give the .rx.h5 file it was exported from",
        )
    if isinstance(source, str | os.PathLike):
        if not os.path.isfile(source):  # noqa: PTH113  a PathLike of any kind
            raise PathError(f"{os.fspath(source)}: there is no such file")
        return os.fspath(source)
    if hasattr(source, "SerializeToString"):
        return bytes(source.SerializeToString())
    if isinstance(source, bytes):
        return source
    raise ParameterError(
        "source: expected a Network, a path, or an ONNX model or its bytes, got "
        f"{type(source).__name__}"
    )


def _start(model: bytes | str, kind: str, threads: int = 1) -> Any:
    """Return an onnxruntime session on `kind` and on nothing else."""
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    # not ALL: its NCHWc layout puts reorder nodes around every convolution
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers: list[Any] = ["CPUExecutionProvider"]
    if kind == "cuda":
        runtime.preload_dlls()
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        providers = [(CUDA, {"use_tf32": "0"})]
    try:
        session = runtime.InferenceSession(model, options, providers=providers)
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
