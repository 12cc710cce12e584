"""How patterns and values become named arrays in a file, one file per encoding.

Encodings see arrays by name and a JSON object, never HDF5. Where edges are and what they weigh
is encoded independently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer, Quantized, Values
    from radixfmt.model.pattern import Pattern


class StoredArray(Protocol):
    """A vector in a file, read by slices."""

    @property
    def path(self) -> str:
        """Return its HDF5 path, for messages."""

    @property
    def file(self) -> str:
        """Return its file's name, for messages."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Return the element type."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the length as a tuple."""

    def __getitem__(self, key: slice, /) -> NDArray[Any]:
        """Return a run of elements."""


@dataclass(frozen=True, slots=True)
class Member:
    """One array to write: its type, its length, and its elements in blocks.

    `compress` says that shuffle and deflate are worth their time (they are not for weights).
    """

    dtype: np.dtype[Any]
    length: int
    blocks: Iterable[NDArray[Any]]
    compress: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an encoding stores: arrays by name, and the JSON that says how to read them."""

    members: Mapping[str, Member] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


class PatternEncoding(Protocol):
    """Where the edges are."""

    def accepts(self, pattern: Pattern) -> bool:
        """Return whether it can store `pattern`."""

    def encode(self, pattern: Pattern) -> Encoded:
        """Return what to store."""

    def arrays_of(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the arrays that a pattern with these facts has in the file."""

    def decode(
        self,
        shape: tuple[int, int],
        nnz: int,
        arrays: Mapping[str, StoredArray],
        facts: Mapping[str, Any],
    ) -> Pattern:
        """Return the pattern; its edges are read, and checked, when they are asked for."""


class ValueEncoding(Protocol):
    """What the edges weigh."""

    def accepts(self, layer: Layer) -> bool:
        """Return whether it can store the weights of `layer`."""

    def encode(self, layer: Layer) -> Encoded:
        """Return what to store."""

    def arrays(self, header: LayerHeader) -> Mapping[str, Vector]:
        """Return the vectors that a layer with this header has in the file."""

    def decode(self, arrays: Mapping[str, StoredArray]) -> Values | Quantized | None:
        """Return the weights, read when they are asked for; None for topology only."""


@dataclass(frozen=True, slots=True)
class Vector:
    """What a vector in a file must be.

    Attributes:
        dtype: the format's name of its type.
        lengths: what its length may be.
        code: of the finding when the length is another.
    """

    dtype: str
    lengths: tuple[int, ...]
    code: str = "RX3005"


class LayerHeader(Protocol):
    """What value encodings need to know of a layer."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n_in, n_out)."""

    @property
    def nnz(self) -> int:
        """Return the number of edges."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Return the facts of the values."""


pattern_encoding: Registry[PatternEncoding] = Registry("pattern encoding", __name__)
value_encoding: Registry[ValueEncoding] = Registry("value encoding", __name__)
