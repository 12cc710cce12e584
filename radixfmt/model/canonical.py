"""JSON with one spelling: RFC 8785, the text that digests cover."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from radixfmt.errors import ParameterError

LARGEST_INTEGER = 2**53 - 1
"""Larger integers are decimal strings in every JSON text of the format (spec §3)."""


LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
"""Numbers beyond it are infinite in float32, the type of ONNX's float attributes."""


def canonical_json(value: Any) -> str:
    """Return `value` as RFC 8785 text: sorted keys, no blanks, ECMAScript numbers.

    Raises:
        ParameterError: NaN, infinity, an integer beyond 2^53 - 1, or no JSON type.
    """
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ParameterError(f"JSON: expected an integer within 2^53 - 1, got {value}")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        inside = (f"{json.dumps(k, ensure_ascii=False)}:{canonical_json(value[k])}" for k in keys)
        return "{" + ",".join(inside) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    raise ParameterError(f"JSON: expected a JSON value, got {type(value).__name__}")


def _number(value: float) -> str:
    """Return the ECMAScript spelling of a double: as `repr`, but for the exponents."""
    if not isfinite(value):
        raise ParameterError(f"JSON: expected a finite number, got {value}")
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:  # repr turns to exponents earlier on both sides
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent):+d}" if exponent else mantissa
