"""`density`: the share of possible edges that are there."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from radixfmt.measures import measurement
from radixfmt.measures.ratio import ratio

if TYPE_CHECKING:
    from radixfmt.model.network import Network


@measurement("density", columns={"edges": "edges", "density": "density"})
def density(network: Network) -> dict[str, Any]:
    """Return edges per possible edge, exactly, for each layer and overall.

    Edges are the cells a pattern stores, whatever their weight. A conv layer is measured by its
    matrix W, `[C_in / group · ∏ kernel_shape, C_out]`. For RadiX-Nets this is the density of
    arXiv 1905.00416: Σ r·D_in·D_out / (n · Σ D_in·D_out).

    Returns:
        `density` (overall) and, for each of `layers`: `name`, `kind`, `edges`, `cells` (n_in·n_out)
        and `density`. A density is `{numerator, denominator, value}` in lowest terms; `value` is
        None where there are no cells. `edges` and `cells` also overall.
    """
    layers: list[dict[str, Any]] = []
    for layer in network.layers:
        edges, cells = layer.pattern.nnz, prod(layer.pattern.shape)
        layers.append({
            "name": layer.name,
            "kind": layer.kind,
            "edges": edges,
            "cells": cells,
            "density": ratio(edges, cells),
        })  # fmt: skip
    edges, cells = (sum(layer[key] for layer in layers) for key in ("edges", "cells"))
    return {"density": ratio(edges, cells), "edges": edges, "cells": cells, "layers": layers}
