"""In what two layers differ: shape, edges, weights, bias."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.comparison.tally import Tally
from radixfmt.model.digest import EXPANSION_LIMIT
from radixfmt.model.layer import Dequantized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from radixfmt.model.columns import Columns
    from radixfmt.model.layer import Layer, Values
    from radixfmt.model.pattern import Pattern

BLOCK = 1 << 20
"""Weights compared at a time where no edges have to be walked."""

Entries = list[dict[str, Any]]


def compare(left: Layer, right: Layer) -> tuple[Entries, Entries]:
    """Return what differs in the topology and in the values of two layers."""
    geometries = [side.geometry and asdict(side.geometry) for side in (left, right)]
    one, other = left.pattern, right.pattern
    topology: Entries = [
        {"what": what, "a": a, "b": b}
        for what, a, b in (
            ("kind", left.kind, right.kind),
            ("geometry", *geometries),
            ("shape", list(one.shape), list(other.shape)),
        )
        if a != b
    ]
    if one.shape != other.shape:
        return topology, []
    weights = _Weights(left, right)
    if _same_recipe(one, other):
        weights.add_all(one.nnz)
    elif max(one.nnz, other.nnz) > EXPANSION_LIMIT:
        records = [pattern.record and dict(pattern.record) for pattern in (one, other)]
        topology.append({"what": "recipe", "a": records[0], "b": records[1]})
    else:
        topology += _walk(one, other, weights)
    values = weights.entries(max(one.nnz, other.nnz))
    n_out = one.shape[1]
    values += vectors("bias", left.bias, right.bias, n_out)
    if left.quantized is not None and right.quantized is not None:
        values += vectors("scale", left.quantized.scale, right.quantized.scale, n_out)
        points = left.quantized.zero_point, right.quantized.zero_point
        values += vectors("zero_point", *points, n_out)
    return topology, values


def vectors(
    array: str, one: NDArray[Any] | None, other: NDArray[Any] | None, length: int | None = None
) -> Entries:
    """Compare two dense arrays; None is an absent one, `length` what a single value stands for."""
    tally, more = Tally(), {}
    if one is not None and other is not None:
        if one.shape == other.shape:
            repeated = length is not None and one.size == 1
            tally.add(one.reshape(-1), other.reshape(-1), times=(length or 1) if repeated else 1)
        elif length is not None:
            tally.add(*np.broadcast_arrays(one, other))
        else:
            more = {"shape": [list(one.shape), list(other.shape)]}
    size = length or max(0 if side is None else side.size for side in (one, other))
    names = [None if side is None else side.dtype.name for side in (one, other)]
    return _entries(array, tally, names, size, more)


def _entries(
    array: str, tally: Tally, types: Sequence[str | None], size: int, more: dict[str, Any]
) -> Entries:
    """Return one entry, or none if nothing differs; all `size` do where they have no pair."""
    if types[0] is types[1] is None:
        return []
    if None in types or more:
        tally.count = size
    if types[0] != types[1]:
        more = more | {"dtype": list(types)}
    return [{"array": array} | tally.as_json() | more] if more or tally.count else []


class _Weights:
    """The weights of two layers of one shape, compared run by run in pattern order."""

    def __init__(self, left: Layer, right: Layer) -> None:
        codes = left.quantized is not None and right.quantized is not None
        self._tally = Tally()
        self._sides = [_Side.of(layer, codes=codes) for layer in (left, right)]

    def add(self, runs: Sequence[slice], common: Sequence[NDArray[np.intp]] | None = None) -> None:
        """Compare a run of one layer's edges with a run of the other's.

        Args:
            runs: where each stands among its layer's edges.
            common: positions in the runs of the edges that both have; None for all.
        """
        left, right = self._sides
        if left is None or right is None:
            return
        one, other = left.run(runs[0]), right.run(runs[1])
        if common is not None:
            one, other = one[common[0]], other[common[1]]
        self._tally.add(one, other)

    def add_all(self, nnz: int) -> None:
        """Compare the weights of layers with the same `nnz` edges."""
        one, other = self._sides
        if one is not None and other is not None and one.iso and other.iso:
            self._tally.add(one.run(slice(0, 1)), other.run(slice(0, 1)), times=nnz)
        elif one is not None and other is not None:
            for start in range(0, nnz, BLOCK):
                self.add([slice(start, min(start + BLOCK, nnz))] * 2)

    def entries(self, nnz: int) -> Entries:
        """Return what was found, as an entry or none; `nnz` counts weights that one side lacks."""
        types = [None if side is None else side.type for side in self._sides]
        return _entries("weights", self._tally, types, nnz, {})


@dataclass(frozen=True, slots=True)
class _Side:
    """The weights of one layer.

    Attributes:
        values: `[nnz]` or `[1]`.
        iso: whether one value stands for all edges.
        type: for people: the element type, and whether it is what a file holds.
    """

    values: Values
    iso: bool
    type: str

    @classmethod
    def of(cls, layer: Layer, *, codes: bool) -> _Side | None:
        """Return the weights, or the codes of quantised ones; None for topology only."""
        if layer.stored is None:
            return None
        name = layer.stored.dtype.name
        if layer.quantized is None:
            return cls(layer.stored, layer.iso, name)
        values = layer.stored if codes else Dequantized(layer.pattern, layer.quantized)
        return cls(values, iso=False, type=f"{name} codes")

    def run(self, run: slice) -> NDArray[Any]:
        """Return the values of a run of edges."""
        if self.iso:
            return np.broadcast_to(np.asarray(self.values[:]), (run.stop - run.start,))
        return np.asarray(self.values[run])


def _same_recipe(one: Pattern, other: Pattern) -> bool:
    """Return whether two patterns have the same generator record, and with it the same arrays."""
    return (
        one.record is not None
        and one.record == other.record
        and all(np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())
    )


def _walk(one: Pattern, other: Pattern, weights: _Weights) -> Entries:
    """Walk two patterns together, give common edges to `weights`, and return what differs."""
    patterns = (one, other)
    only = [0, 0]
    first: list[list[int] | None] = [None, None]
    at = [0, 0]
    for start, stop in max(patterns, key=lambda pattern: pattern.nnz).ranges():
        blocks = [pattern.columns(start, stop) for pattern in patterns]
        runs = [slice(p, p + block.indices.size) for p, block in zip(at, blocks, strict=True)]
        at = [run.stop for run in runs]
        if all(np.array_equal(x, y) for x, y in zip(*blocks, strict=True)):
            weights.add(runs)
            continue
        keys = [_keys(block, one.shape[0]) for block in blocks]
        _, *common = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
        weights.add(runs, common)
        for side in (0, 1):
            alone = np.delete(keys[side], common[side])
            only[side] += alone.size
            if first[side] is None and alone.size:
                column, neuron = divmod(int(alone[0]), one.shape[0])
                first[side] = [neuron, start + column]
    if only == [0, 0]:
        return []
    return [{
        "what": "edges", "a": one.nnz, "b": other.nnz, "only_a": only[0], "only_b": only[1],
        "first_only_a": first[0], "first_only_b": first[1],
    }]  # fmt: skip


def _keys(block: Columns, n_in: int) -> NDArray[np.int64]:
    """Return one number per edge, ascending; with at most 2^22 columns it is below 2^62."""
    columns = np.repeat(np.arange(block.indptr.size - 1), np.diff(block.indptr))
    keys: NDArray[np.int64] = columns * n_in + block.indices
    return keys
