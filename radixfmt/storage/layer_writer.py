"""One layer being written: its arrays are hashed while they are encoded, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.encodings import Encoded, pattern_encoding, value_encoding
from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.model.canonical import canonical_json
from radixfmt.model.digest import (
    EXACT,
    EXPANSION_LIMIT,
    LayerDigests,
    PatternHashing,
    iso_digest,
    pattern_digest,
    values_hashing,
    with_vectors,
)
from radixfmt.model.dtypes import VALUE_TYPES
from radixfmt.storage.array_writer import ArrayWriter
from radixfmt.storage.binsparse import descriptor
from radixfmt.storage.header import LayerHeader
from radixfmt.storage.text import LARGEST_ATTRIBUTE, stored_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.pattern import Pattern

LARGEST_RECORD = LARGEST_ATTRIBUTE - 4096
"""Bytes of a generator record that leave room for the rest of the layer's attribute."""


@dataclass(frozen=True, slots=True)
class Storage:
    """How a file keeps what it holds; nothing here changes a digest.

    Attributes:
        patterns: "procedural" keeps generator records where there are any, "explicit" writes
            every edge out.
        small: deflate everything at level 4, weights included; else level 1 and no weights,
            which deflate slowly and hardly shrink.
        compat: "1.8" for readers that know HDF5 up to 1.8 only, or None.
    """

    patterns: str = "procedural"
    small: bool = False
    compat: str | None = None

    def __post_init__(self) -> None:
        if self.patterns not in ("procedural", "explicit"):
            raise ParameterError(f"storage: expected procedural or explicit, got {self.patterns!r}")
        if self.compat not in (None, "1.8"):
            raise ParameterError(f"compat: expected 1.8 or none, got {self.compat!r}")

    def level(self, *, compress: bool) -> int:
        """Return the deflate level of an array that is, or is not, worth compressing."""
        return 4 if self.small else int(compress)


def write_layer(
    group: Any, layer: Layer, storage: Storage, pool: Executor
) -> tuple[LayerHeader, LayerDigests]:
    """Write one layer into its group; return its header and digests.

    Raises:
        UnsupportedError: a type that the format does not hold, or too many edges to write out.
    """
    _check_types(layer)
    patterns = _pattern_encoding(layer, storage.patterns)
    edges = pattern_encoding[patterns].encode(layer.pattern)
    weights = next(name for name, entry in value_encoding.items() if entry.accepts(layer))
    values = value_encoding[weights].encode(layer)

    hashing = PatternHashing(layer.pattern) if patterns == "explicit" else None
    _write(group, edges, storage, pool, {} if hashing is None else {"indices_1": hashing.update})
    stored = None
    if weights in ("array", "quantized"):
        stored = values_hashing(values.members["values"].dtype.name, layer.pattern.nnz)
    _write(group, values, storage, pool, {} if stored is None else {"values": stored.update})

    bias = None
    if layer.bias is not None:
        _write_array(group, "bias", layer.bias, storage, pool)
        bias = {"dtype": layer.bias.dtype.name, "length": layer.bias.size}
    # last, since they wait for the hashing thread
    pattern = pattern_digest(layer.pattern) if hashing is None else hashing.digest()
    weighed = iso_digest(layer) if stored is None else EXACT + stored.digest()
    found = with_vectors(layer, pattern, weighed)
    header = LayerHeader(
        layer.name,
        layer.kind,
        layer.pattern.shape,
        layer.pattern.nnz,
        {"encoding": patterns} | dict(edges.facts),
        {"encoding": weights, "dtype": values.members["values"].dtype.name},
        bias,
        layer.geometry,
        _fan_in(layer.pattern) if patterns == "explicit" else None,
        digests=found.as_json(),
    )
    text, _ = stored_json(header.as_json(), f"layer {layer.name[:80]!r}")
    group.attrs.create("layer", text)
    container = descriptor(header, {name: m.dtype.name for name, m in edges.members.items()})
    if container is not None:
        group.attrs.create("binsparse", stored_json({"binsparse": container}, "binsparse")[0])
    return header, found


def _check_types(layer: Layer) -> None:
    for what, array in (("weights", layer.stored), ("bias", layer.bias)):
        if array is not None and array.dtype.name not in VALUE_TYPES:
            raise UnsupportedError(
                f"{layer.name}: {what} of type {array.dtype.name}; the format holds "
                f"{', '.join(VALUE_TYPES)}"
            )


def _pattern_encoding(layer: Layer, wanted: str) -> str:
    pattern = layer.pattern
    if (
        wanted == "procedural"
        and pattern.record is not None
        and len(canonical_json(pattern.record)) <= LARGEST_RECORD
    ):
        return "procedural"
    if pattern.nnz > EXPANSION_LIMIT:
        raise UnsupportedError(
            f"{layer.name}: {pattern.nnz} edges; at most {EXPANSION_LIMIT} of a layer are "
            "written out",
            hint="keep the generator's record: storage procedural",
        )
    return "explicit"


def _write(
    group: Any,
    encoded: Encoded,
    storage: Storage,
    pool: Executor,
    hashed: dict[str, Callable[[NDArray[Any]], None]],
) -> None:
    """Write the arrays of an encoding, handing the blocks of some to a hash as well."""
    for name, member in encoded.members.items():
        level = storage.level(compress=member.compress)
        writer = ArrayWriter(group, name, member.dtype, member.length, level=level, pool=pool)
        for block in member.blocks:
            if name in hashed:
                hashed[name](block)
            writer.append(block)
        writer.close()


def _write_array(
    group: Any, name: str, array: NDArray[Any], storage: Storage, pool: Executor
) -> None:
    level = storage.level(compress=False)
    writer = ArrayWriter(group, name, array.dtype, array.size, level=level, pool=pool)
    writer.append(array)
    writer.close()


def _fan_in(pattern: Pattern, block: int = 1 << 20) -> tuple[int, int] | None:
    """Return the least and the largest number of inputs of a neuron."""
    n_out = pattern.shape[1]
    degrees = (pattern.fan_in(i, min(i + block, n_out)) for i in range(0, n_out, block))
    ends = [(int(np.min(d)), int(np.max(d))) for d in degrees]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else None
