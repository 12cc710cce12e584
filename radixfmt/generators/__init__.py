"""Deterministic pattern rules that a file can name in place of edges (spec §6).

A rule is a `ColumnSource` made from a record `{"generator": "radix-net/1", "parameters": {…}}`:
integer arithmetic only, any column range on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError
from radixfmt.model.pattern import Pattern
from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from radixfmt.model.columns import ColumnSource

generator: Registry[Callable[..., ColumnSource]] = Registry("generator", __name__)


def from_record(record: Mapping[str, Any]) -> Pattern:
    """Return the pattern a generator record describes.

    Raises:
        UnknownNameError: no such generator or version.
        ParameterError: parameters that the generator refuses or does not know.
    """
    make = generator[str(record.get("generator"))]
    parameters = record.get("parameters")
    if not isinstance(parameters, dict):
        raise ParameterError(f"{record.get('generator')}: expected an object `parameters`")
    try:
        return Pattern(make(**parameters))
    except TypeError as error:
        raise ParameterError(f"{record['generator']}: {error}") from None
