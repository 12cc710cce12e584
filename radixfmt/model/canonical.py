"""JSON with one spelling: RFC 8785, the text that digests cover."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import copysign, isfinite
from typing import Any

from radixfmt.errors import ParameterError

LARGEST_INTEGER = 2**53 - 1
"""Larger integers are decimal strings in every JSON text of the format (spec §3)."""


LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
"""Numbers beyond it are infinite in float32, the type of ONNX's float attributes."""


def canonical_json(value: Any) -> str:
    """Return `value` as RFC 8785 text: sorted keys, no blanks, ECMAScript numbers.

    Raises:
        ParameterError: NaN, infinity, -0.0, an integer beyond 2^53 - 1, a key that is no text,
            text with half a character (a lone surrogate), or no JSON type.
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise ParameterError(f"JSON: expected an integer within 2^53 - 1, got {value}")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        texts = {_text(key): value[key] for key in sorted(value, key=_in_order)}
        return "{" + ",".join(f"{key}:{canonical_json(item)}" for key, item in texts.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    raise ParameterError(f"JSON: expected a JSON value, got {type(value).__name__}")


def _in_order(key: object) -> bytes:
    """Return what RFC 8785 sorts keys by: their UTF-16 code units."""
    if not isinstance(key, str):
        raise ParameterError(f"JSON: expected a text as key, got {key!r:.80}")
    return key.encode("utf-16-be", "surrogatepass")


def _text(value: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in ("" if value.isascii() else value)):
        raise ParameterError(f"JSON: text with half a character (a lone surrogate): {value!a:.80}")
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Return the ECMAScript spelling of a double: as `repr`, but for the exponents."""
    if not isfinite(value):
        raise ParameterError(f"JSON: expected a finite number, got {value}")
    if value == 0:
        if copysign(1, value) < 0:  # RFC 8785 spells it 0, which is another number
            raise ParameterError("JSON: expected a number that JSON keeps, got -0.0")
        return "0"
    if 1e-6 <= abs(value) < 1e21:  # repr turns to exponents earlier on both sides
        from decimal import Decimal  # loaded for real numbers only

        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent):+d}" if exponent else mantissa
