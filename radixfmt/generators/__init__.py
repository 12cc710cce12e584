"""Deterministic pattern rules that a file can name in place of edges (spec §6).

A rule is a `ColumnSource` made from a record `{"generator": "radix-net/1", "parameters": {…}}`:
integer arithmetic only, any column range on demand. A generator registers a keyword-only function
and two optional facts: `arrays`, the parameters that cite stored arrays (it is then given these as
`arrays`), and `recognise`, a function of pattern and position that yields likely parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.errors import ParameterError, UnknownNameError
from radixfmt.model.pattern import Pattern
from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Parameter

    from radixfmt.generators.permutation import Entries
    from radixfmt.model.columns import ColumnSource

generator: Registry[Callable[..., ColumnSource]] = Registry("generator", __name__)


def from_record(record: Mapping[str, Any], arrays: Mapping[str, Entries] | None = None) -> Pattern:
    """Return the pattern a generator record describes.

    Args:
        record: `{"generator", "parameters"}`.
        arrays: those that `arrays_of(record)` names; they are read, and checked, when the
            pattern is first used.

    Raises:
        UnknownNameError: no such generator or version.
        ParameterError: parameters that the generator refuses or does not know; code "limit" where
            the layer would be beyond the format's limits.
        FormatError: an array of the wrong type or length.
    """
    return Pattern(source_of(record, arrays))


def source_of(
    record: Mapping[str, Any], arrays: Mapping[str, Entries] | None = None
) -> ColumnSource:
    """Return where the edges of a record come from; arguments and errors as `from_record`."""
    name, parameters = _parts(record)
    make = generator[name]
    _check_names(name, parameters, inspect.signature(make).parameters)
    given = dict(parameters)
    if generator.facts(name).get("arrays"):
        given["arrays"] = arrays or {}
    return make(**given)


def arrays_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the arrays that a record cites; none for a record that makes no sense."""
    try:
        name, parameters = _parts(record)
        return tuple(key for key in generator.facts(name).get("arrays", ()) if key in parameters)
    except (ParameterError, UnknownNameError):
        return ()


def recognise(pattern: Pattern, position: int = 0) -> dict[str, Any] | None:
    """Return a record whose pattern has exactly the edges of `pattern`, or None.

    Edges are compared one by one, but only with candidates that agree in a few columns.

    Args:
        pattern: where a layer's weights are.
        position: index of the layer in its network, a hint for what to try first.
    """
    if pattern.record is not None:
        return None if pattern.arrays else dict(pattern.record)
    if pattern.nnz == 0 or pattern.nnz % pattern.shape[1]:
        return None  # generators give every neuron the same number of inputs
    for name in generator:
        candidates = generator.facts(name).get("recognise", lambda *_: ())
        for parameters in candidates(pattern, position):
            record = {"generator": name, "parameters": parameters}
            try:
                found = _same_edges(from_record(record), pattern)
            except ParameterError:  # the layer is beyond a limit of its generator
                continue
            if found:
                return record
    return None


def _parts(record: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    name, parameters = record.get("generator"), record.get("parameters")
    if not isinstance(name, str) or not isinstance(parameters, Mapping):
        raise ParameterError("expected the name of a `generator` and an object `parameters`")
    return name[:80], parameters


def _check_names(name: str, given: Mapping[str, Any], known: Mapping[str, Parameter]) -> None:
    """Raise ParameterError for a parameter that is unknown, missing or null."""
    takes = [parameter for parameter in known if parameter != "arrays"]
    unknown = [str(parameter)[:40] for parameter in given if parameter not in takes]
    missing = [p for p in takes if known[p].default is inspect.Parameter.empty and p not in given]
    null = [parameter for parameter in takes if given.get(parameter, 0) is None]
    for what, names in (("unknown", unknown), ("missing", missing), ("without a value", null)):
        if names:
            raise ParameterError(
                f"{name}: {what}: {', '.join(map(repr, names[:8]))}; it takes {', '.join(takes)}"
            )


def _same_edges(first: Pattern, second: Pattern) -> bool:
    if first.shape != second.shape or first.nnz != second.nnz:
        return False
    n_out = first.shape[1]
    probes = [(column, column + 1) for column in sorted({0, n_out // 2, n_out - 1})]
    return all(
        np.array_equal(a, b)
        for start, stop in chain(probes, first.ranges())
        for a, b in zip(first.columns(start, stop), second.columns(start, stop), strict=True)
    )
