"""In what two networks differ: metadata, topology, values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.comparison.layers import compare, vectors
from radixfmt.model.digest import dense_digest, feeds, graph_json, text_digest
from radixfmt.storage.reader import open as open_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from radixfmt.model.network import Network


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two networks `a` and `b`; plain JSON values.

    Attributes:
        metadata: `{"key", "a", "b"}` for each innermost member, its keys joined by `/`; names of
            layers and digests of /ext are among them. None is what a side does not have.
        topology: `{"what", …}`: number, kind, shape and edges (`[input, output]`) of layers, parts
            of the graph, and which layer feeds which.
        values: `{"layer", "array", "max_abs", "max_ulp", "count"}`: weights on common edges,
            biases, and dense tensors, whose layer is None.
    """

    metadata: tuple[dict[str, Any], ...] = ()
    topology: tuple[dict[str, Any], ...] = ()
    values: tuple[dict[str, Any], ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.metadata or self.topology or self.values)

    def as_json(self) -> dict[str, Any]:
        """Return the stable record of `diff --json`."""
        return {
            "equal": self.equal,
            "metadata": list(self.metadata),
            "topology": list(self.topology),
            "values": list(self.values),
        }


def diff(
    a: Network | str | os.PathLike[str],
    b: Network | str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Difference:
    """Return in what two networks differ; how they are stored makes no difference.

    Edges and values are compared one by one, a block of columns at a time, whatever digests say.
    Two generator records that are equal give equal edges without making them.

    Args:
        a: a network, or a file, which is opened lazily.
        b: the other one.
        progress: called with (layers done, layers).

    Raises:
        PathError: a file is missing or cannot be read.
        FormatError: a file breaks the specification.
    """
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(open_network(side)) if isinstance(side, str | os.PathLike) else side
            for side in (a, b)
        )
        metadata = _metadata(first, second)
        topology = _graph(first, second)
        values = _tensors(first, second)
        count = min(len(first.layers), len(second.layers))
        for i in range(count):
            left, right = first.layers[i], second.layers[i]
            if left.name != right.name:
                metadata.append({"key": f"layers/{i}/name", "a": left.name, "b": right.name})
            edges, weights = compare(left, right)
            topology += [{"layer": i} | found for found in edges]
            values += [{"layer": i} | found for found in weights]
            if progress is not None:
                progress(i + 1, count)
    return Difference(tuple(metadata), tuple(topology), tuple(values))


def _metadata(first: Network, second: Network) -> list[dict[str, Any]]:
    one, other = (
        network.metadata.as_json()
        | {
            f"ext/{path}": text_digest(value) if isinstance(value, str) else dense_digest(value)
            for path, value in network.ext.items()
        }
        for network in (first, second)
    )
    return list(_leaves("", one, other))


def _leaves(key: str, one: Any, other: Any) -> Iterator[dict[str, Any]]:
    """Yield the innermost members of two JSON values that differ; keys are joined by `/`."""
    prefix = f"{key}/" if key else ""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted(one.keys() | other.keys()):
            yield from _leaves(f"{prefix}{name}", one.get(name), other.get(name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _leaves(f"{prefix}{i}", left, right)
    elif one != other:
        yield {"key": key, "a": one, "b": other}


def _graph(first: Network, second: Network) -> list[dict[str, Any]]:
    """Return how many layers there are, what feeds what, and which part of the graph differs."""
    found: list[dict[str, Any]] = []
    if len(first.layers) != len(second.layers):
        found.append({"what": "layers", "a": len(first.layers), "b": len(second.layers)})
    one, other = feeds(first.graph), feeds(second.graph)
    if one != other:
        found.append({
            "what": "feeds",
            "a": [pair for pair in one if pair not in other],
            "b": [pair for pair in other if pair not in one],
        })  # fmt: skip
    graphs = graph_json(first), graph_json(second)
    for part in ("inputs", "outputs", "nodes"):
        found += [
            {"what": part, "index": i, "a": left, "b": right}
            for i, (left, right) in enumerate(zip_longest(*(graph[part] for graph in graphs)))
            if left != right
        ]
    return found


def _tensors(first: Network, second: Network) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in sorted(first.tensors.keys() | second.tensors.keys()):
        sides = (network.tensors.get(name) for network in (first, second))
        one, other = (None if side is None else np.asarray(side) for side in sides)
        found += vectors(f"tensors/{name}", one, other)
    return [{"layer": None} | differing for differing in found]
