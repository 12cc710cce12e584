"""`permuted/1`: another generator's pattern with its neurons relabelled by stored permutations."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import FormatError, ParameterError
from radixfmt.findings import Finding
from radixfmt.generators import from_record, generator, source_of
from radixfmt.generators.permutation import Entries, Permutation, permutation_digest
from radixfmt.generators.regular import RegularColumns, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from radixfmt.model.pattern import Pattern

NAME = "permuted/1"
SIDES = ("in_perm", "out_perm")
MEMBERS = {"generator", "parameters"}


@generator(NAME, arrays=SIDES)
def permuted_layer(
    *,
    base: Mapping[str, Any],
    arrays: Mapping[str, Entries],
    in_perm: str | None = None,
    out_perm: str | None = None,
) -> RegularColumns:
    """Return the pattern W = B[in_perm][:, out_perm] of the base pattern B.

    Args:
        base: record of B, which is not itself permuted.
        arrays: the stored permutations that have a digest here.
        in_perm: digest of the permutation of the inputs; None for the identity.
        out_perm: the same for the outputs; at least one is given.

    Raises:
        UnknownNameError: the base names no generator.
        ParameterError: no base, no permutation, no digest, or an array is missing.
        FormatError: an array of the wrong type or length; what is in it is checked on first use.
    """
    if not isinstance(base, dict) or set(base) != MEMBERS or base["generator"] == NAME:
        raise ParameterError(
            f"{NAME}: base: expected the record of another generator, {{generator, parameters}}"
        )
    source = source_of(base)
    if not isinstance(source, RegularColumns):
        raise ParameterError(f"{NAME}: base: expected a generator of constant degree")
    digests = {
        name: digest
        for name, digest in zip(SIDES, (in_perm, out_perm), strict=True)
        if digest is not None
    }
    if not digests:
        raise ParameterError(f"{NAME}: expected in_perm, out_perm or both, got neither")
    permutations = {}
    for name, digest in digests.items():
        if not isinstance(digest, str) or not re.fullmatch("rx1:[0-9a-f]{64}", digest):
            raise ParameterError(f"{name}: expected a digest rx1:…, got {shown(digest)}")
        if name not in arrays:
            raise ParameterError(f"{name}: the record cites an array that is not there")
        size = source.shape[SIDES.index(name)]
        permutations[name] = Permutation(name, arrays[name], size, digest)
    inputs, outputs = map(permutations.get, SIDES)
    return RegularColumns(
        source.shape,
        source.degree,
        source.period if outputs is None else source.shape[1],
        partial(_rows, source, inputs, outputs),
        {"generator": NAME, "parameters": {"base": source.record, **digests}},
        permutations,
    )


def _rows(
    base: RegularColumns,
    inputs: Permutation | None,
    outputs: Permutation | None,
    wanted: NDArray[np.int64],
) -> NDArray[np.integer[Any]]:
    rows = base.rows(wanted if outputs is None else outputs.order[wanted].astype(np.int64))
    return rows if inputs is None else np.sort(inputs.inverse[rows], axis=1)


def permuted(
    pattern: Pattern, in_perm: ArrayLike | None = None, out_perm: ArrayLike | None = None
) -> Pattern:
    """Return `pattern` with its neurons relabelled, still procedural: W[in_perm][:, out_perm].

    Args:
        pattern: one that a generator makes; permuting twice gives one permutation.
        in_perm: integers `[n_in]`, each of 0 … n_in - 1 once; None for the identity.
        out_perm: the same for the outputs.

    Raises:
        ParameterError: neither is given, one is no permutation, or the pattern is explicit.
    """
    if pattern.record is None:
        raise ParameterError(
            "permuted: expected a pattern that a generator makes, got an explicit one",
            hint="permute its matrix: Pattern.from_scipy(pattern.to_scipy()[in_perm][:, out_perm])",
        )
    base, arrays = pattern.record, dict(pattern.arrays)
    if base["generator"] == NAME:
        base = base["parameters"]["base"]
    for name, size, given in zip(SIDES, pattern.shape, (in_perm, out_perm), strict=True):
        if given is not None:
            order = _order(name, given, size)
            arrays[name] = order if name not in arrays else arrays[name][order]
    cited = {name: permutation_digest(array) for name, array in arrays.items()}
    return from_record({"generator": NAME, "parameters": {"base": base, **cited}}, arrays)


def _order(name: str, given: ArrayLike, size: int) -> NDArray[Any]:
    """Return a permutation as it is stored, after checking it."""
    order = np.asarray(given)
    if order.dtype.kind not in "iu" or order.shape != (size,) or (order < 0).any():
        raise ParameterError(
            f"{name}: expected {size} integers of at least 0, got {order.dtype} {order.shape}"
        )
    stored = order.astype(np.uint64)
    try:
        return Permutation(name, stored, size, permutation_digest(stored)).entries
    except FormatError as error:
        finding = error.finding
        raise ParameterError(str(finding) if isinstance(finding, Finding) else str(error)) from None
