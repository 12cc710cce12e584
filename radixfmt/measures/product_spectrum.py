"""The spectrum of a product of layers: of the matrix that counts paths, which is never formed.

Layers of constant degrees keep constant vectors constant, so that sigma1 = Π √(dl·dr); where
records prove a stretch of such layers to have a constant product, so has the whole run, and
sigma2 = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isqrt, log10, prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.measures.circulant import circulant_of, constant_product, product_ratio
from radixfmt.measures.laplacian import Degrees
from radixfmt.measures.layer_spectrum import LARGEST_SIDES, UNCONVERGED
from radixfmt.measures.operators import chained, edges_of, without
from radixfmt.measures.singular import largest
from radixfmt.measures.spectrum import ROUNDING, regular_connectivity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp

    from radixfmt.measures.circulant import Circulant
    from radixfmt.model.network import Network
    from radixfmt.model.pattern import Pattern

LARGEST_RUN = 2**28
"""Edges of all layers of a product together: 1 GiB of indices."""

KEYS = (
    "sigma1", "log10_sigma1", "sigma2", "gap_abs", "gap_ratio", "algebraic_connectivity",
    "residual",
)  # fmt: skip
IMMENSE = "beyond the largest float64, 1.8e308"
UNEVEN = "defined here for products of layers of constant degrees"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is asked of a layer before any is multiplied with."""

    shape: tuple[int, int]
    edges: int
    circulant: Circulant | None
    degrees: tuple[int, int] | None

    @classmethod
    def of(cls, pattern: Pattern, position: int) -> Facts:
        """Return the facts of layer `position`."""
        circulant = circulant_of(pattern, position) if pattern.nnz else None
        degrees = None if circulant is None else circulant.degrees
        if degrees is None and pattern.nnz and sum(pattern.shape) <= LARGEST_SIDES:
            degrees = Degrees(pattern.fan_out(), pattern.fan_in()).constant
        return cls(pattern.shape, pattern.nnz, circulant, degrees)


def product_spectrum(network: Network, run: Sequence[int]) -> dict[str, Any]:
    """Return the spectrum of the product of some layers, as plain JSON values.

    Args:
        network: a chain of linear layers.
        run: indices of two layers or more, in the order of application.
    """
    facts = [Facts.of(network.layers[i].pattern, i) for i in run]
    circulants = [layer.circulant for layer in facts]
    even = [layer.degrees for layer in facts if layer.degrees]
    if len(even) < len(facts):
        return _of_uneven(network, run, facts)
    ratio: float | None
    residual: float | None = None
    method, why = "closed form", {"residual": "follows from the records alone"}
    if constant_product(circulants):
        method, ratio = "constant product", 0.0
    elif (ratio := product_ratio(circulants)) is None:
        refusal = _too_large(facts)
        if refusal:
            method, why = "none", dict.fromkeys(KEYS, refusal)
        else:
            scales = [sqrt(left * right) for left, right in even]
            found = largest(chained(_matrices(network, run, facts), scales, flat=True), ROUNDING)
            method, ratio, residual = found.method, found.sigma, found.residual
            why = {} if ratio is not None else dict.fromkeys(KEYS, UNCONVERGED)
    degrees = prod(left for left, _ in even), prod(right for _, right in even)
    alone = facts[0].shape[0] == facts[-1].shape[1] == 1
    return _of_ratio(degrees, ratio, residual, method, why, alone=alone)


def of_layer(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the spectrum of a run of one layer, given the layer's own entry."""
    sigma1 = entry["sigma1"]
    known = entry | {"log10_sigma1": log10(sigma1) if sigma1 else None}
    why = entry["why"] | {"log10_sigma1": entry["why"].get("sigma1", "no edges")}
    return _entry(entry["method"], why, **{key: known[key] for key in KEYS})


def _of_ratio(
    degrees: tuple[int, int],
    ratio: float | None,
    residual: float | None,
    method: str,
    why: dict[str, str],
    *,
    alone: bool,
) -> dict[str, Any]:
    """Return the entry of a product with constant row and column sums.

    Args:
        degrees: the sum of each row, and of each column, of P.
        ratio: sigma2 / sigma1.
        residual: of it.
        method: how it was found.
        why: reasons for what is not known.
        alone: P is a single number.
    """
    square = degrees[0] * degrees[1]
    known: dict[str, Any] = {"log10_sigma1": log10(square) / 2}
    try:
        most = float(max(degrees))
        sigma1 = sqrt(square) if square < 2**104 else float(isqrt(square))
    except OverflowError:
        sigma1 = None
        absolute = ("sigma1", "sigma2", "gap_abs", "algebraic_connectivity")
        why = dict.fromkeys(absolute, IMMENSE) | why
    else:
        known["sigma1"] = sigma1
    why = {key: reason for key, reason in why.items() if key not in known}
    if ratio is None:
        return _entry(method, why, **known)
    ratio = min(ratio, 1.0)  # a disconnected product's is 1, found with rounding errors
    known |= {"gap_ratio": 1 - ratio, "residual": residual}
    if ratio == 0:
        known["sigma2"] = 0.0
    if sigma1 is not None:
        shares = (degrees[0] / most, degrees[1] / most)
        share = sigma1 / most
        second = regular_connectivity(shares, share * (1 - ratio), share * ratio)
        known |= {
            "sigma2": sigma1 * ratio,
            "gap_abs": sigma1 * (1 - ratio),
            "algebraic_connectivity": 2 * most if alone else most * second,
        }
    return _entry(method, why, **known)


def _of_uneven(network: Network, run: Sequence[int], facts: Sequence[Facts]) -> dict[str, Any]:
    """Return the entry of a product whose first singular vectors are not known beforehand."""
    refusal = _too_large(facts)
    if refusal:
        return nothing_known(refusal)
    why = {"algebraic_connectivity": UNEVEN}
    matrices = _matrices(network, run, facts)
    scales = _growth(matrices)
    if not all(scales):
        why |= dict.fromkeys(("gap_ratio", "log10_sigma1"), "no path from any input to any output")
        return _entry("no path", why, sigma1=0.0, sigma2=0.0, gap_abs=0.0, residual=0.0)
    operator = chained(matrices, scales, flat=False)
    first = largest(operator)
    if first.sigma is None:
        return _entry(first.method, dict.fromkeys(KEYS, UNCONVERGED) | why)
    known: dict[str, Any] = {"log10_sigma1": log10(first.sigma) + sum(map(log10, scales))}
    sigma1 = first.sigma * prod(scales)
    if isfinite(sigma1):
        known["sigma1"] = sigma1
    else:
        why = dict.fromkeys(("sigma1", "sigma2", "gap_abs"), IMMENSE) | why
    second = largest(without(operator, first.vector), ROUNDING * first.sigma, again=True)
    if second.sigma is None:
        unknown = ("sigma2", "gap_abs", "gap_ratio", "residual")
        return _entry(second.method, dict.fromkeys(unknown, UNCONVERGED) | why, **known)
    ratio = min(second.sigma / first.sigma, 1.0)
    known["gap_ratio"] = 1 - ratio
    known["residual"] = max(first.residual, second.residual) / first.sigma
    if isfinite(sigma1):
        known |= {"sigma2": sigma1 * ratio, "gap_abs": sigma1 * (1 - ratio)}
    return _entry(second.method, why, **known)


def nothing_known(reason: str) -> dict[str, Any]:
    """Return the entry of a product of which nothing is known."""
    return _entry("none", dict.fromkeys(KEYS, reason))


def _entry(method: str, why: dict[str, str], **known: Any) -> dict[str, Any]:
    found = {key: known.get(key) for key in KEYS}
    return found | {
        "method": method,
        "why": {key: why[key] for key in KEYS if key in why and found[key] is None},
    }


def _too_large(facts: Sequence[Facts]) -> str | None:
    if sum(layer.edges for layer in facts) > LARGEST_RUN:
        return f"beyond {LARGEST_RUN} edges, and records do not tell"
    if any(sum(layer.shape) > LARGEST_SIDES for layer in facts):
        return f"beyond {LARGEST_SIDES} neurons on the sides of a layer, and records do not tell"
    return None


def _matrices(network: Network, run: Sequence[int], facts: Sequence[Facts]) -> list[sp.csr_array]:
    ones = np.ones(max(layer.edges for layer in facts))
    return [edges_of(network.layers[i].pattern, ones) for i in run]


def _growth(matrices: Sequence[sp.csr_array]) -> list[float]:
    """Return by how much each layer makes what comes from a constant input longer.

    Divided by these, a long product neither vanishes nor overflows; a 0 shows that it has no path.
    """
    x = np.ones(matrices[0].shape[1]) / sqrt(matrices[0].shape[1] or 1)
    scales = []
    for matrix in matrices:
        x = matrix @ x
        scales.append(float(np.linalg.norm(x)))
        if scales[-1]:
            x /= scales[-1]
    return scales
