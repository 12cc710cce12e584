"""The spectrum of one layer: from its record where that names cyclic shifts, else from its edges.

What a record proves is checked on the edges all the same, unless they are too many to be made: the
residual is that of the Fourier vector which belongs to sigma2.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from radixfmt.measures.circulant import (
    circulant_of,
    cosine,
    cyclic_shifts,
    second_vector,
    shift_components,
)
from radixfmt.measures.laplacian import (
    Degrees,
    algebraic_connectivity,
    components_of,
    normalised_second,
)
from radixfmt.measures.operators import chained, edges_of, without
from radixfmt.measures.singular import largest
from radixfmt.measures.spectrum import ROUNDING, Spectrum, regular_connectivity

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from radixfmt.measures.circulant import Circulant
    from radixfmt.model.pattern import Pattern

LARGEST_CHECK = 2**24
"""Edges of a layer known in closed form that are made to check it."""

LARGEST_LAYER = 2**26
"""Edges of a layer that is multiplied with: about 1 GiB."""

LARGEST_SIDES = 2**22
"""Neurons of both sides of such a layer together."""

UNCONVERGED = "Lanczos did not converge: the largest values lie too close together"


def layer_spectrum(pattern: Pattern, position: int = 0) -> Spectrum:
    """Return what is known of a layer's spectrum.

    Args:
        pattern: of the layer.
        position: index of the layer in its network, a hint for what to try first.
    """
    if not pattern.nnz:
        return _edgeless(sum(pattern.shape))
    known = circulant_of(pattern, position)
    if known is not None:
        return _of_circulant(pattern, known)
    if pattern.nnz > LARGEST_LAYER or sum(pattern.shape) > LARGEST_SIDES:
        why = f"beyond {LARGEST_LAYER} edges or {LARGEST_SIDES} neurons, and not of cyclic shifts"
        return Spectrum("none", why=dict.fromkeys(UNKNOWN, why))
    shifts = cyclic_shifts(pattern)
    edges = edges_of(pattern, np.ones(pattern.nnz))
    if shifts is not None:
        return _of_shifts(edges, shifts)
    degrees = Degrees(pattern.fan_out(), pattern.fan_in())
    components = components_of(edges)
    if degrees.constant is None:
        return _of_uneven(edges, degrees, components)
    return _of_regular(edges, degrees.constant, components)


UNKNOWN = (
    "sigma1", "sigma2", "gap_abs", "gap_ratio", "algebraic_connectivity", "normalised_gap",
    "components", "degrees", "ramanujan", "residual",
)  # fmt: skip


def _edgeless(neurons: int) -> Spectrum:
    why = dict.fromkeys(("gap_ratio", "normalised_gap", "degrees", "ramanujan"), "no edges")
    if neurons < 2:
        why["algebraic_connectivity"] = "fewer than two neurons"
    return Spectrum(
        "no edges", 0.0, 0.0, 0.0, 0.0, 0.0 if neurons > 1 else None, components=neurons, why=why
    )


def _of_circulant(pattern: Pattern, layer: Circulant) -> Spectrum:
    found = _regular("closed form", layer.degrees, layer.gap, layer.components)
    if pattern.nnz > LARGEST_CHECK or sum(pattern.shape) > LARGEST_SIDES:
        why = f"beyond {LARGEST_CHECK} edges or {LARGEST_SIDES} neurons closed forms go unchecked"
        return replace(found, why={"residual": why})
    edges = edges_of(pattern, np.ones(pattern.nnz))
    return _checked(found, edges, second_vector(pattern, layer))


def _of_shifts(edges: sp.csr_array, shifts: NDArray[np.int64]) -> Spectrum:
    n = edges.shape[0]
    indicator = np.zeros(n)
    indicator[shifts] = 1
    values = np.abs(np.fft.rfft(indicator))  # k and n - k belong together
    components = shift_components(shifts, n)
    k = 1 + int(values[1:].argmax()) if n > 1 else 0
    gap = 0.0 if components > 1 else shifts.size - float(values[k])
    found = _regular("Fourier transform", (shifts.size, shifts.size), gap, components)
    vector = cosine(np.arange(n), k, n)
    return _checked(found, edges, vector / np.linalg.norm(vector))


def _of_regular(edges: sp.csr_array, degrees: tuple[int, int], components: int) -> Spectrum:
    scale = sqrt(degrees[0] * degrees[1])
    if components > 1:  # each has the same sigma1
        return replace(_regular("components", degrees, 0.0, components), residual=0.0)
    second = largest(chained([edges], [scale], flat=True), ROUNDING)
    if second.sigma is None:
        why = dict.fromkeys(
            ("sigma2", "gap_abs", "gap_ratio", "algebraic_connectivity", "normalised_gap",
             "ramanujan", "residual"),
            UNCONVERGED,
        )  # fmt: skip
        return Spectrum(second.method, scale, components=1, degrees=degrees, why=why)
    found = _regular(second.method, degrees, scale * (1 - second.sigma), components)
    return replace(found, residual=second.residual)


def _of_uneven(edges: sp.csr_array, degrees: Degrees, components: int) -> Spectrum:
    """Return the spectrum of a layer whose first singular vectors are not known beforehand."""
    why: dict[str, str] = {}
    operator = chained([edges], [1.0], flat=False)
    first = largest(operator)
    second = None
    if first.sigma is not None:
        second = largest(without(operator, first.vector), ROUNDING * first.sigma, again=True)
    found = Spectrum(first.method, first.sigma, components=components)
    if first.sigma is None:
        why |= dict.fromkeys(("sigma1", "sigma2", "gap_abs", "gap_ratio", "residual"), UNCONVERGED)
    elif second is None or second.sigma is None:
        why |= dict.fromkeys(("sigma2", "gap_abs", "gap_ratio", "residual"), UNCONVERGED)
    else:
        found = replace(
            found,
            method=second.method,
            sigma2=second.sigma,
            gap=max(first.sigma - second.sigma, 0.0),
            residual=max(first.residual, second.residual) / first.sigma,
        )
    connectivity: float | None = 0.0
    normalised: float | None = 0.0
    if components == 1:
        connectivity = algebraic_connectivity(edges, degrees)[0]
        second = normalised_second(edges, degrees)
        normalised = None if second.sigma is None else 1 - second.sigma
    for key, value in (("algebraic_connectivity", connectivity), ("normalised_gap", normalised)):
        if value is None:
            why[key] = UNCONVERGED
    return replace(found, connectivity=connectivity, normalised_gap=normalised, why=why)


def _regular(method: str, degrees: tuple[int, int], gap: float, components: int) -> Spectrum:
    """Return the spectrum of a layer of constant degrees, but for its residual."""
    sigma1 = sqrt(degrees[0] * degrees[1])
    sigma2 = sigma1 - gap
    one_edge = degrees == (1, 1) and components == 1
    return Spectrum(
        method,
        sigma1,
        sigma2,
        gap,
        connectivity=2.0 if one_edge else regular_connectivity(degrees, gap, sigma2),
        normalised_gap=2.0 if one_edge else gap / sigma1,
        components=components,
        degrees=degrees,
    )


def _checked(found: Spectrum, edges: sp.csr_array, vector: NDArray[np.float64]) -> Spectrum:
    """Return `found` with the residual of its sigma2 at a unit vector, or 0, of the outputs."""
    assert found.sigma1 is not None  # noqa: S101  closed forms have all values
    assert found.sigma2 is not None  # noqa: S101
    image = edges.T @ vector
    norm = float(np.linalg.norm(image))
    unit = image / norm if norm else image
    forth = abs(norm - found.sigma2 * float(np.linalg.norm(vector)))
    back = float(np.linalg.norm(edges @ unit - found.sigma2 * vector)) if found.sigma2 else 0.0
    return replace(found, residual=max(forth, back) / found.sigma1)
