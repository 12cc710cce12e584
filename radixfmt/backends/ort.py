"""onnxruntime: the way networks are meant to run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from radixfmt.backends import backend
from radixfmt.backends.binding import Bound, fitting_tile
from radixfmt.backends.device import cores, resolve
from radixfmt.backends.placement import Placement, placement
from radixfmt.backends.precision import FLOAT32, TF32, check_precision
from radixfmt.backends.runtime import ELEMENTS, loadable, served, start
from radixfmt.backends.samples import checked, tiles
from radixfmt.errors import InputError, ParameterError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

STEP = 32
"""Rows by which tiles are shortened for several threads: with whole vectors of rows the numbers are
the same, to the last bit, for every number of threads."""

FEW = 3
"""Rows up to which kernels take each by itself, and add up in another order."""

KEPT = 4
"""Shapes of samples whose buffers on a GPU are kept."""


@backend("ort")
class Session:
    """A network or an ONNX model running on one execution provider.

    The batch is cut into tiles of rows whose activations stay in cache; a model exported here that
    does not promise independent rows gets the batch whole. With several threads,
    each works on its own tiles over one single-threaded onnxruntime session, which lets go of
    Python's lock while it computes: steadier than threads inside each small operator. On CUDA
    tiles go through buffers that are bound once. What is said of CUDA has not run on a GPU yet.

    Args:
        source: a Network, a path to a `.rx.h5` or `.onnx` file, or an ONNX model or its bytes,
            with independent rows, or one exported here, which says whether they are.
        device: "cpu", "cuda", or "auto": CUDA wherever the driver reports a device.
        threads: None for all cores this process may use.
        lowering: how a network is exported; of a model that is settled.
        tile: rows per tile; None for the measured default.
        precision: on CUDA also "tf32" (coarser products, those of lowering "native" too), or of a
            network "float16" or "bfloat16".
        cuda_graph: on CUDA, record the kernels of a tile once and replay them.

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
        precision: str = FLOAT32,
        cuda_graph: bool = False,
    ) -> None:
        for name, value in (("threads", threads), ("tile", tile)):
            if value is not None and value < 1:
                raise ParameterError(f"{name}: expected at least 1, got {value}")
        kind = resolve(device)
        check_precision(precision, kind)
        if cuda_graph and kind != "cuda":
            raise ParameterError("cuda_graph: expected device cuda", hint="leave it out")
        self._source = partial(
            loadable, source, lowering=lowering, target=kind, precision=precision
        )
        model = self._source()
        self._kind, self._tf32, self._cuda_graph = kind, precision == TF32, cuda_graph
        self._session = start(model, kind, tf32=self._tf32, cuda_graph=cuda_graph)
        self.provider: str = self._session.get_providers()[0]
        self.threads = 1 if kind == "cuda" else threads or cores()
        self._inputs, self._outputs = served(self._session)
        self._input = self._inputs[0]
        metadata = self._session.get_modelmeta().custom_metadata_map
        width = next((n for n in reversed(self._input.shape) if isinstance(n, int)), 1)
        self._tile = tile or fitting_tile(kind, width, metadata)
        self._axis = 1 if metadata.get("radixfmt.layout") == "feature-major" else 0
        # tiles of one size only: the model's, or that of the recorded run
        sizes = self._input.shape[self._axis : self._axis + 1]
        self._sized = cuda_graph or (bool(sizes) and isinstance(sizes[0], int))
        self._independent = metadata.get("radixfmt.rows") != "together"
        if not self._independent and self.threads > 1:  # threads inside operators are what is left
            self._session = start(model, kind, threads=self.threads)
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None
        self._bound: dict[tuple[int, ...], Bound] = {}
        self._graphs = 0

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
        self._check_open()
        self._check_single()
        if not self._independent:
            y: NDArray[Any] = self.run_named({self._input.name: x})[self._outputs[0].name]
            return y
        x, axis = self._samples(x), self._axis
        rows = x.shape[axis]
        if rows == 0:  # one sample tells the shape of what is then cut to none
            blank = self._call(np.zeros([*x.shape[:axis], 1, *x.shape[axis + 1 :]], x.dtype))
            return blank[:, :0] if axis else blank[:0]
        pieces = [(*(slice(None),) * axis, slice(*ends)) for ends in self._cut(rows)]
        if len(pieces) == 1:
            return self._call(x)
        whole: list[NDArray[Any]] = []
        lock = Lock()

        def work(piece: tuple[slice, ...]) -> None:
            made = self._call(x[piece])
            with lock:  # the first tile that is done tells the shape of all
                if not whole:
                    shape = [*made.shape[:axis], rows, *made.shape[axis + 1 :]]
                    whole.append(np.empty(shape, made.dtype))
            whole[0][piece] = made

        # going through the map raises what a tile raised, and drops the tiles that wait
        for _ in (map if self._pool is None else self._pool.map)(work, pieces):
            pass
        return whole[0]

    def _samples(self, x: Any) -> NDArray[Any]:
        """Return samples as the model takes them."""
        shape, dtype = self._input.shape, np.dtype(ELEMENTS[self._input.type])
        if self._axis:
            found = checked(x, None, dtype)
            if found.shape[0] != shape[0]:
                raise InputError(f"input: expected n_in = {shape[0]} rows, got {found.shape[0]}")
            return found
        width = shape[-1] if len(shape) > 1 and isinstance(shape[-1], int) else None
        return checked(x, width, dtype, rank=len(shape))

    def _cut(self, rows: int) -> list[tuple[int, int]]:
        """Return where tiles start and stop; no last one has few rows, which round apart."""
        ends = list(tiles(rows, self._tile_of(rows)))
        if len(ends) > 1 and rows - ends[-1][0] <= FEW and not self._sized:
            ends[-2:] = [(ends[-2][0], rows)]
        return ends

    def _tile_of(self, rows: int) -> int:
        """Return how many of so many rows to run at a time."""
        if self._sized:
            size = self._input.shape[self._axis]
            return size if isinstance(size, int) else self._tile
        share = -(-rows // self.threads)
        return min(self._tile, -(-share // STEP) * STEP)

    def _call(self, x: NDArray[Any]) -> NDArray[Any]:
        """Run one tile; one too short for the size that all must have is filled up with zeros."""
        axis, rows = self._axis, x.shape[self._axis]
        short = self._tile_of(rows) - rows if self._sized else 0
        if short:
            filling = [(0, short if i == axis else 0) for i in range(x.ndim)]
            x = np.pad(x, filling)
        if self._kind == "cuda":
            bound = self._bound_to(x.shape)
            bound.load(x)
            bound.run()
            y = bound.outputs()
        else:
            y = self._feed({self._input.name: x})[0]
        return y.take(range(rows), axis) if short else y

    def bind(self, x: Any) -> Bound:
        """Return the samples bound once where the model runs, for many runs without any copy.

        On a CPU one thread runs them.

        Args:
            x: as `run` takes them, at least one row; of a fixed batch a multiple.

        Raises:
            InputError: another shape, or not numbers.
            UnsupportedError: onnxruntime fails on these samples.
        """
        self._check_open()
        self._check_single()
        samples = self._samples(x)
        rows, size = samples.shape[self._axis], self._input.shape[self._axis]
        if rows == 0 or (isinstance(size, int) and rows % size):
            raise InputError(f"input: expected rows, a multiple of {size}, got {rows}")
        tile = samples.shape[0] if self._axis or not self._independent else self._tile_of(rows)
        first, self._graphs = self._graphs, self._graphs + -(-samples.shape[0] // tile)
        graph = first if self._cuda_graph else None
        bound = Bound(self._session, self._kind, samples.shape, tile=tile, first_graph=graph)
        bound.load(samples)
        return bound

    def _bound_to(self, shape: tuple[int, ...]) -> Bound:
        """Return buffers for a tile, those of before where it had this shape."""
        if shape not in self._bound:
            while len(self._bound) >= KEPT:
                del self._bound[next(iter(self._bound))]
            self._bound[shape] = self.bind(np.zeros(shape, ELEMENTS[self._input.type]))
        return self._bound[shape]

    def run_named(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Return all outputs by name, for inputs by name, in one call: nothing is cut into tiles.

        Args:
            arrays: for each input of the model, of its shape; numbers of any type.

        Raises:
            InputError: other names or shapes, or not numbers.
            ParameterError: the session is closed.
            UnsupportedError: onnxruntime fails on these arrays.
        """
        self._check_open()
        if arrays.keys() != {given.name for given in self._inputs}:
            raise InputError(
                f"inputs: expected {[given.name for given in self._inputs]}, got {list(arrays)}"
            )
        feeds = {}
        for given in self._inputs:
            dtype = np.dtype(ELEMENTS[given.type])
            feeds[given.name] = checked(arrays[given.name], None, dtype, rank=len(given.shape))
        found = self._feed(feeds)
        return {output.name: y for output, y in zip(self._outputs, found, strict=True)}

    def _check_open(self) -> None:
        if self._session is None:
            raise ParameterError("session: it is closed; expected an open one")

    def _check_single(self) -> None:
        if len(self._inputs) != 1 or len(self._outputs) != 1 or not self._input.shape:
            raise UnsupportedError(
                f"expected a model of one input with rows and one output, got inputs "
                f"{[i.name for i in self._inputs]} and outputs {[o.name for o in self._outputs]}",
                hint="Session.run_named takes arrays by name",
            )

    def _feed(self, feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
        try:
            made: list[Any] = self._session.run(None, feeds)
        except Exception as error:  # onnxruntime's own exceptions share no base but this one
            raise UnsupportedError(f"onnxruntime fails on these samples: {error}") from error
        return made

    def placement(self) -> Placement:
        """Return which nodes run on which provider, from the profile of a session made for it.

        Raises:
            ParameterError: the session is closed.
            UnsupportedError: the model has several inputs, or fails on zeros.
        """
        self._check_open()
        return placement(self._source(), self._kind, tf32=self._tf32)

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
        self._bound.clear()
        self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
