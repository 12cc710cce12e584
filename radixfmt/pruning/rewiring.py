"""Sparse evolutionary training (SET): the weakest edges make room for random new ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import floor
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError, UnsupportedError
from radixfmt.generators.regular import shown
from radixfmt.initialization import REWIRING, words
from radixfmt.model.dtypes import is_float
from radixfmt.model.network import LazyLayers
from radixfmt.model.pattern import Pattern
from radixfmt.pruning.arguments import check_number, check_seed, share
from radixfmt.version import __version__

if TYPE_CHECKING:
    from fractions import Fraction

    from numpy.typing import NDArray

    from radixfmt.model.layer import Layer
    from radixfmt.model.network import Network

LARGEST_DEVIATION = 1000
"""Normal numbers of this deviation fit into every float type."""

LARGEST_CELLS = 2**63 - 1


def rewire(
    network: Network,
    *,
    zeta: float = 0.3,
    seed: int = 0,
    layers: Collection[int] | None = None,
    deviation: float = 0.1,
) -> Network:
    """Return the network after one step of SET; every layer keeps its number of edges.

    Mocanu et al., Nat. Commun. 2018, as the authors' public code does it between epochs: in each
    layer ⌊ζ·count⌋ of the positive weights and as many of the negative ones go, those closest to
    0, and every weight that is 0; the same number of new edges is drawn among the empty cells, all
    sets of them equally likely. A dropped cell is empty, so it may come back. (The code compares
    with the weights at those ranks, so that ties may drop more; here the counts are exact, and of
    equals those later in pattern order go.) Cells and new weights come from numpy's Generator
    with the layer's words from counter 2^193 (`radixfmt.initialization.words`): use another seed
    for every step.

    Layers are rewired when they are asked for. Biases, graph and value types stay. A dense layer
    has no other place for its edges and stays what it is, as SET leaves its last one.

    Args:
        network: with weights of a float type.
        zeta: ζ, the share that is dropped, 0 to 1; read as the decimal number it prints as.
        seed: 0 to 2^53 - 1.
        layers: indices of those to rewire; None for all.
        deviation: of the new weights, normal with mean 0: 0.1 in SET's code for sparse matrices,
            0 in its code for masks and in RigL.

    Raises:
        ParameterError: a value that is not one of these.
        UnsupportedError: a layer to rewire has no weights or other ones than floats, or 2^63 cells.
    """
    dropped = share("zeta", zeta)
    check_seed(seed)
    check_number("deviation", deviation)
    if not 0 <= deviation <= LARGEST_DEVIATION:
        raise ParameterError(
            f"deviation: expected a number from 0 to {LARGEST_DEVIATION}, got {deviation}"
        )
    chosen = _chosen(network, layers)

    def make(i: int) -> Layer:
        layer = network.layers[i]
        if i not in chosen:
            return layer
        stream = np.random.Generator(words(seed, i, REWIRING))
        return _rewired(layer, dropped, stream, deviation)

    step: dict[str, Any] = {"activity": "rewire", "tool": f"radixfmt {__version__}"}
    step |= {"zeta": float(zeta), "seed": seed, "layers": chosen, "deviation": float(deviation)}
    metadata = replace(network.metadata, provenance=(*network.metadata.provenance, step))
    rewired = LazyLayers(network.headers, make, network.geometries)
    return replace(network, layers=rewired, metadata=metadata)


def _chosen(network: Network, layers: Collection[int] | None) -> list[int]:
    """Return the layers to rewire, after checking that each can be."""
    every = range(len(network.headers))
    given = every if layers is None else layers
    if not isinstance(given, Collection):
        raise ParameterError(f"layers: expected a list of indices, got {shown(given)}")
    for i in given:
        if isinstance(i, bool) or not isinstance(i, int | np.integer) or i not in every:
            raise ParameterError(
                f"layers: expected indices from 0 to {len(every) - 1}, got {shown(i)}"
            )
    chosen = sorted({int(i) for i in given})
    for i in chosen:
        layer = network.layers[i]
        if layer.dtype is None or layer.quantized is not None or not is_float(layer.dtype):
            found = "none" if layer.dtype is None else f"{layer.dtype.name} or codes of it"
            raise UnsupportedError(
                f"{layer.name}: expected weights of a float type to rewire by, got {found}",
                hint="leave the layer out (layers=…), or give it weights: radixfmt convert IN OUT "
                "--weights he",
            )
        n_in, n_out = layer.pattern.shape
        if n_in * n_out > LARGEST_CELLS:
            raise UnsupportedError(
                f"{layer.name}: expected fewer than 2^63 cells, got {n_in} x {n_out}"
            )
    return chosen


def _rewired(layer: Layer, dropped: Fraction, rng: np.random.Generator, deviation: float) -> Layer:
    """Return the layer with its weakest edges moved."""
    pattern = layer.pattern
    n_in, n_out = pattern.shape
    if pattern.nnz == n_in * n_out:
        return layer
    weights = np.broadcast_to(np.asarray(layer.weights), (pattern.nnz,))
    kept = _kept(weights, dropped)
    outputs = np.repeat(np.arange(n_out), pattern.fan_in())
    old = outputs[kept] * n_in + pattern.indices[kept]
    moved = pattern.nnz - old.size
    # the empty cells by their rank: what lies before the r-th is r of them and some that are kept
    ranks = np.sort(rng.choice(n_in * n_out - old.size, moved, replace=False, shuffle=False))
    new = ranks + np.searchsorted(old - np.arange(old.size), ranks, side="right")
    fresh = (deviation * rng.standard_normal(moved)).astype(weights.dtype)
    cells = np.concatenate([old, new])
    order = np.argsort(cells, kind="stable")
    cells = cells[order]
    pointers = np.searchsorted(cells, np.arange(n_out + 1) * n_in)
    return layer.replace(
        pattern=Pattern.explicit(pattern.shape, pointers, cells % n_in),
        weights=np.concatenate([weights[kept], fresh])[order],
    )


def _kept(weights: NDArray[Any], dropped: Fraction) -> NDArray[np.bool_]:
    """Return which edges stay; NaN, which has no place among the others, does."""
    values = np.asarray(weights, np.float64)
    kept: NDArray[np.bool_] = values != 0
    for side in (values > 0, values < 0):
        places = np.flatnonzero(side)[::-1]  # so that the stable order puts later equals first
        order = np.argsort(np.abs(values[places]), kind="stable")
        kept[places[order[: floor(dropped * places.size)]]] = False
    return kept
