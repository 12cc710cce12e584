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

    from radixfmt.model.layer import Layer, Values
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

    arrays: tuple[str, ...]
    """Names of the arrays it stores."""

    def accepts(self, pattern: Pattern) -> bool:
        """Return whether it can store `pattern`."""

    def encode(self, pattern: Pattern) -> Encoded:
        """Return what to store."""

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

    def length(self, nnz: int) -> int:
        """Return how many elements `values` has for a pattern of `nnz` edges."""

    def decode(self, values: StoredArray) -> Values | None:
        """Return the weights, read when they are asked for; None for topology only."""


pattern_encoding: Registry[PatternEncoding] = Registry("pattern encoding", __name__)
value_encoding: Registry[ValueEncoding] = Registry("value encoding", __name__)
