"""A network: a lazy sequence of layers, the graph that applies them, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from radixfmt.errors import ParameterError
from radixfmt.findings import refuse
from radixfmt.model.graph import Node, Value
from radixfmt.model.layer import Layer
from radixfmt.model.metadata import Metadata
from radixfmt.model.wiring import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from numpy.typing import NDArray

    from radixfmt.model.layer import ConvGeometry


class LazyLayers(Sequence[Layer]):
    """Layers made when they are asked for, so that one is in memory at a time.

    Args:
        headers: (kind, shape) of each layer, known without making it.
        make: returns layer i.
        geometries: of the conv layers.
    """

    def __init__(
        self,
        headers: Sequence[tuple[str, tuple[int, int]]],
        make: Callable[[int], Layer],
        geometries: Mapping[int, ConvGeometry] | None = None,
    ) -> None:
        self.headers = headers
        self.geometries = geometries or {}
        self._make = make

    def __len__(self) -> int:
        return len(self.headers)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Layer]: ...
    def __getitem__(self, index: int | slice) -> Layer | Sequence[Layer]:
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            found = enumerate(self.geometries.get(i) for i in chosen)
            return LazyLayers(
                [self.headers[i] for i in chosen],
                lambda i: self._make(chosen[i]),
                {at: geometry for at, geometry in found if geometry is not None},
            )
        return self._make(range(len(self))[index])

    def __iter__(self) -> Iterator[Layer]:
        return (self._make(i) for i in range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers and the graph that applies them.

    Use `chain` for the common case. A network from `rx.open` holds its file open: use it in a
    `with` block or call `close()`.

    Attributes:
        layers: lazy; every consumer iterates it once.
        graph: nodes in any order that has no cycle.
        inputs: graph inputs.
        outputs: graph outputs.
        tensors: dense arrays that nodes name, rank at most 8.
        metadata: who, what, whence.
        ext: what others keep in the file: arrays and texts by path, `REVERSE.DNS.NAME/…`.
    """

    layers: Sequence[Layer]
    graph: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    metadata: Metadata = field(default_factory=Metadata)
    ext: Mapping[str, NDArray[Any] | str] = field(default_factory=dict)
    closer: Callable[[], None] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        shapes = {name: np.shape(tensor) for name, tensor in self.tensors.items()}
        for finding in problems(
            self.graph,
            self.inputs,
            self.outputs,
            self.tensors.keys(),
            self.headers,
            geometries=self.geometries,
            shapes=shapes,
        ):
            if finding.severity == "error":
                raise refuse(finding)

    @property
    def headers(self) -> Sequence[tuple[str, tuple[int, int]]]:
        """(kind, shape) of each layer, without making lazy ones."""
        if isinstance(self.layers, LazyLayers):
            return self.layers.headers
        return [(layer.kind, layer.pattern.shape) for layer in self.layers]

    @property
    def geometries(self) -> Mapping[int, ConvGeometry]:
        """How each conv layer moves, by its index."""
        if isinstance(self.layers, LazyLayers):
            return self.layers.geometries
        found = enumerate(layer.geometry for layer in self.layers)
        return {i: geometry for i, geometry in found if geometry is not None}

    @property
    def nnz(self) -> int:
        """Edges of all layers together."""
        return sum(layer.pattern.nnz for layer in self.layers)

    def close(self) -> None:
        """Close the file this network reads from, if there is one."""
        if self.closer is not None:
            self.closer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        headers = self.headers
        span = f", {headers[0][1][0]} → {headers[-1][1][1]}" if headers else ""
        return f"<Network {self.metadata.name!r}: {len(headers)} layers{span}>"


def chain(
    layers: Sequence[Layer],
    *,
    activation: str | None = None,
    clip: tuple[float, float] | None = None,
    metadata: Metadata | None = None,
) -> Network:
    """Return the network x → layer 0 → activation → layer 1 → … → y.

    Args:
        layers: at least one; each layer's n_out is the next one's n_in.
        activation: an ONNX operator of `ACTIVATIONS`, applied after every layer, or None.
        clip: (low, high) applied after every layer in place of an activation.
        metadata: of the network.

    Raises:
        ParameterError: no layers, or both `activation` and `clip`.
        FormatError: sizes that do not meet (RX6005).
    """
    if not layers:
        raise ParameterError("a chain needs at least one layer, got none")
    if activation is not None and clip is not None:
        raise ParameterError("activation and clip: expected one of them, got both")
    headers = (
        layers.headers
        if isinstance(layers, LazyLayers)
        else [(layer.kind, layer.pattern.shape) for layer in layers]
    )
    tensors: dict[str, NDArray[Any]] = {}
    op = activation
    bounds: tuple[str, ...] = ()
    if clip is not None:
        op = "Clip"
        bounds = ("clip_min", "clip_max")
        tensors = {n: np.array(v, np.float32) for n, v in zip(bounds, clip, strict=True)}
    nodes = []
    last = "x"
    for i in range(len(headers)):
        final = i == len(headers) - 1
        linear = "y" if final and op is None else f"z{i}"
        nodes.append(Node("SparseLinear", (last,), (linear,), layer=i))
        last = linear
        if op is not None:
            last = "y" if final else f"a{i}"
            nodes.append(Node(op, (linear, *bounds), (last,)))
    return Network(
        layers,
        tuple(nodes),
        (Value("x", ("B", headers[0][1][0])),),
        (Value("y", ("B", headers[-1][1][1])),),
        tensors,
        metadata or Metadata(),
    )


def alone(layer: Layer, metadata: Metadata) -> Network:
    """Return the network that applies one layer, linear or conv, and nothing else."""
    n_in, n_out = layer.pattern.shape
    op = "SparseLinear"
    source: tuple[int | str, ...] = ("B", n_in)
    target: tuple[int | str, ...] = ("B", n_out)
    geometry = layer.geometry
    if geometry is not None:
        sizes = tuple(f"D{i}" for i in range(len(geometry.kernel_shape)))
        channels = n_in * geometry.group // prod(geometry.kernel_shape)
        outer = tuple(f"E{i}" for i in range(len(sizes)))
        op, source, target = "SparseConv", ("B", channels, *sizes), ("B", n_out, *outer)
    return Network(
        (layer,),
        (Node(op, ("x",), ("y",), layer=0),),
        (Value("x", source),),
        (Value("y", target),),
        metadata=metadata,
    )
