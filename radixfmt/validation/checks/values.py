"""The numbers: are they finite, and is how they are stored worth it?"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.model.dtypes import LARGEST_RANK
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from radixfmt.storage.chunks import GuardedArray
    from radixfmt.storage.header import LayerHeader

BLOCK = 1 << 20
"""Elements read at a time."""

PIECE = 1 << 15
"""Elements looked at together: all passes over them find them in the cache."""

MANTISSA = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}
"""Bits below the exponent: a float's class is read from its bits, for every type alike."""

SUBNORMAL_SHARE = 0.01


@check("values", needs=("headers",))
def values(view: View) -> Iterator[Finding]:
    """Yield what is remarkable about weights, biases and dense tensors."""
    file = view.open_file
    for i, header in enumerate(view.headers):
        path = f"/layers/{i:06d}"
        try:
            yield from _weights(file.guard.array(f"{path}/values"), header, _zero(view, i, header))
            if header.bias is not None:
                yield from _finite(Census.of(file.guard.array(f"{path}/bias")))
        except FormatError as error:
            if not isinstance(error.finding, Finding):
                raise
            yield error.finding
    for i in range(len(file.manifest.tensors)):
        array = file.guard.array(f"/tensors/{i:06d}", largest_rank=LARGEST_RANK)
        yield from _finite(Census.of(array))


@dataclass(slots=True)
class Census:
    """What kinds of numbers an array holds.

    Attributes:
        path: of the array.
        size: number of elements.
        nan: number of NaN; `nan_at` is the first one's position.
        infinite: number of infinities; `infinite_at` likewise, `infinity` the first one.
        zeros: number of elements equal to `zero`.
        subnormal: number of floats below the least normal one and not 0.
        equal: whether all elements have the same bits.
    """

    path: str
    size: int = 0
    nan: int = 0
    nan_at: int = 0
    infinite: int = 0
    infinite_at: int = 0
    infinity: str = ""
    zeros: int = 0
    subnormal: int = 0
    equal: bool = True

    @classmethod
    def of(cls, array: GuardedArray, zero: int = 0) -> Census:
        """Return the census of an array, read in blocks; `zero` is the integer that means 0."""
        found = cls(array.path)
        bits = np.dtype(f"u{array.dtype.itemsize}")
        first: NDArray[Any] | None = None
        for block in _blocks(array):
            for start in range(0, block.size, PIECE):
                piece = block[start : start + PIECE]
                raw = piece.view(bits)
                first = raw[:1] if first is None else first
                found.equal = found.equal and bool((raw == first).all())
                if array.dtype.name in MANTISSA:
                    found._add_floats(piece, raw, MANTISSA[array.dtype.name])
                else:
                    found.zeros += int(np.count_nonzero(piece == zero))
                found.size += piece.size
        return found

    def _add_floats(self, piece: NDArray[Any], raw: NDArray[Any], mantissa: int) -> None:
        sign = 1 << (8 * raw.itemsize - 1)
        infinity, normal = sign - (1 << mantissa), 1 << mantissa
        magnitude = raw & raw.dtype.type(sign - 1)
        zeros = magnitude.size - int(np.count_nonzero(magnitude))
        self.zeros += zeros
        self.subnormal += int(np.count_nonzero(magnitude < normal)) - zeros
        if int(magnitude.max()) < infinity:
            return
        for name, special in (("nan", magnitude > infinity), ("infinite", magnitude == infinity)):
            if special.any():
                if not getattr(self, name):
                    at = int(special.argmax())
                    setattr(self, f"{name}_at", self.size + at)
                    self.infinity = str(piece[at]) if name == "infinite" else self.infinity
                setattr(self, name, getattr(self, name) + int(np.count_nonzero(special)))


def _blocks(array: GuardedArray) -> Iterator[NDArray[Any]]:
    """Yield the elements in C order, about `BLOCK` at a time."""
    if array.shape == ():
        yield array.read().reshape(-1)
        return
    rows = max(1, BLOCK // max(1, prod(array.shape[1:])))
    for start in range(0, array.shape[0], rows):
        yield np.ascontiguousarray(array[start : start + rows]).reshape(-1)


def _zero(view: View, i: int, header: LayerHeader) -> int | None:
    """Return the stored integer that means 0; None if it is another one for each output."""
    if header.values["encoding"] != "quantized":
        return 0
    quantized = view.open_file.layer(i, header).quantized
    one = quantized is not None and quantized.zero_point.size == 1
    return int(quantized.zero_point[0]) if quantized is not None and one else None


def _weights(array: GuardedArray, header: LayerHeader, zero: int | None) -> Iterator[Finding]:
    if header.values["encoding"] == "topology-only":
        one = array[:]
        if array.dtype != np.uint8 or one.size != 1 or one[0] != 1:
            yield Finding(
                "RX5004",
                "a topology-only layer has a value of its own",
                array.path,
                expected="one uint8 1",
                actual=f"{array.dtype} {one[:4].tolist()}",
            )
        return
    census = Census.of(array, zero or 0)
    yield from _finite(census)
    if census.zeros and zero is not None:
        yield Finding("RX5003", "weights that are zero", array.path, count=census.zeros)
    if header.values["encoding"] == "array" and census.equal and census.size >= 2:
        yield Finding("RX5005", "all weights are equal and each is stored", array.path)
    if census.subnormal > SUBNORMAL_SHARE * census.size:
        yield Finding(
            "RX5006",
            "many weights are subnormal",
            array.path,
            count=census.subnormal,
            expected=f"at most 1 % of {census.size}",
            actual=str(census.subnormal),
        )


def _finite(census: Census) -> Iterator[Finding]:
    for code, what, count, at, actual in (
        ("RX5001", "NaN values", census.nan, census.nan_at, "nan"),
        ("RX5002", "infinite values", census.infinite, census.infinite_at, census.infinity),
    ):
        if count:
            yield Finding(
                code,
                what,
                census.path,
                index=at,
                count=count,
                expected="finite numbers",
                actual=actual,
            )
