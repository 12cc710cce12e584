"""Samples bound once where a model runs, so that a run copies nothing between host and device.

Written for CUDA, where it has not run yet; the same code binds host memory in the tests.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.backends.device import l2_bytes, onnxruntime
from radixfmt.backends.runtime import ELEMENTS, has_kernels
from radixfmt.backends.samples import tiles
from radixfmt.errors import UnsupportedError
from radixfmt.export.tiled import MOST, tile_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LAYERS = 3
"""Activations of a tile that are alive at a time: a layer's input, its gathered form, its output.
"""

DENSE_TILE = 4096
"""Fewest rows of a tile where dense weights, not activations, fill a GPU's caches."""

LEAST_TILE = 32

WHOLE = 2**31
"""Rows of a tile where compiled operators cut tiles of their own: as many as a thread gets."""

TILED, TILED_VALUES = 4096, 2**24
"""Rows of a tile, and values of its samples, where the model cuts tiles of its own: it copies
samples and results once, whole, 64 MiB of float32 at a time."""

NO_GRAPH = -1
"""The number onnxruntime gives to runs that are not recorded."""


def fitting_tile(kind: str, width: int, metadata: Mapping[str, str]) -> int:
    """Return how many rows to run at a time, on "cpu" or "cuda", of a model with this metadata."""
    lowering = metadata.get("radixfmt.lowering")
    if kind == "cuda":
        return cuda_tile(width, dense=lowering == "dense")
    if lowering == "native" and has_kernels(kind):
        return WHOLE
    if "radixfmt.tile" in metadata:
        return max(LEAST_TILE, min(TILED, TILED_VALUES // max(width, 1)))
    return MOST if lowering == "dense" else tile_for(width)  # that is bound by its weights


def cuda_tile(width: int, *, dense: bool) -> int:
    """Return how many rows a GPU's second-level cache holds of layers of about `width` neurons."""
    fitting = l2_bytes() // (LAYERS * 4 * max(width, 1))
    return max(DENSE_TILE if dense else LEAST_TILE, fitting // LEAST_TILE * LEAST_TILE)


class Bound:
    """Buffers for samples and outputs on the device, and a binding for each tile of rows.

    Args:
        session: onnxruntime's, of one input and one output.
        kind: "cpu" or "cuda".
        shape: of the samples, rows first.
        tile: rows per tile; samples in columns go as one tile of all of them.
        first_graph: number of the first tile's CUDA graph, the others follow; None records none.

    Raises:
        UnsupportedError: onnxruntime fails on samples of this shape.
    """

    def __init__(
        self,
        session: Any,
        kind: str,
        shape: Sequence[int],
        *,
        tile: int,
        first_graph: int | None = None,
    ) -> None:
        self._session, self._kind = session, kind
        self._given, self._made = session.get_inputs()[0], session.get_outputs()[0]
        self._dtype, y_dtype = (np.dtype(ELEMENTS[v.type]) for v in (self._given, self._made))
        self._x = self._buffer(shape, self._dtype)
        self._y: Any = None
        pieces = list(tiles(shape[0], tile))
        first = self._binding(pieces[0])
        self._run(first, self._options(NO_GRAPH))
        made = first.get_outputs()[0].shape()  # only a run tells
        # samples in columns are one piece, and their outputs' first axis is no rows
        self._y = self._buffer(made if len(pieces) == 1 else [shape[0], *made[1:]], y_dtype)
        self._parts = [
            (
                self._binding(piece, whole=len(pieces) == 1),
                self._options(NO_GRAPH if first_graph is None else first_graph + i),
            )
            for i, piece in enumerate(pieces)
        ]

    def load(self, x: NDArray[Any]) -> None:
        """Copy samples of the bound shape and type to the device."""
        self._x.update_inplace(np.ascontiguousarray(x, self._dtype))

    def run(self) -> None:
        """Compute the outputs of the samples loaded last; they stay on the device.

        Raises:
            UnsupportedError: onnxruntime fails on these samples.
        """
        for binding, options in self._parts:
            self._run(binding, options)

    def outputs(self) -> NDArray[Any]:
        """Return a copy of the outputs of the last run."""
        return np.array(self._y.numpy())

    def _buffer(self, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
        allocate = onnxruntime().OrtValue.ortvalue_from_shape_and_type
        return allocate(list(shape), dtype.type, self._kind, 0)

    def _binding(self, piece: tuple[int, int], *, whole: bool = False) -> Any:
        """Return a binding of some rows of the buffers; without one, onnxruntime makes outputs."""
        binding = self._session.io_binding()
        binding.bind_input(self._given.name, *self._rows(self._x, self._given, piece))
        if self._y is None:
            binding.bind_output(self._made.name, self._kind)
        else:
            piece = (0, self._y.shape()[0]) if whole else piece
            binding.bind_output(self._made.name, *self._rows(self._y, self._made, piece))
        return binding

    def _rows(self, buffer: Any, value: Any, piece: tuple[int, int]) -> tuple[Any, ...]:
        """Return device, number, element type, shape and address of rows of a buffer."""
        dtype, (start, stop), rest = np.dtype(ELEMENTS[value.type]), piece, buffer.shape()[1:]
        skipped = start * prod(rest) * dtype.itemsize
        return self._kind, 0, dtype.type, [stop - start, *rest], buffer.data_ptr() + skipped

    def _options(self, graph: int) -> Any:
        options = onnxruntime().RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(graph))
        return options

    def _run(self, binding: Any, options: Any) -> None:
        try:
            self._session.run_with_iobinding(binding, options)
        except Exception as error:  # onnxruntime's own exceptions share no base but this one
            raise UnsupportedError(f"onnxruntime fails on these samples: {error}") from error
