"""JSON from a stranger: one spelling of everything, and no surprises (spec §3)."""

from __future__ import annotations

import json
import re
import unicodedata
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

from radixfmt.findings import Finding, refuse
from radixfmt.model.canonical import LARGEST_INTEGER, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SURROGATE = re.compile("[\ud800-\udfff]")

DEEPEST = 32
"""Levels of arrays and objects."""

MOST_VALUES = 1 << 21
"""Commas and opening brackets of a text: there are not many more values, each 100 bytes or so."""


def parse(data: bytes, *, path: str, file: str) -> dict[str, Any]:
    """Return the object `data` spells.

    Raises:
        FormatError: RX2002 not UTF-8, RX2003 not JSON or no object, RX2004 a key twice, RX2005 a
            number that is not finite or too large, RX2006 nested too deeply or too many values,
            RX2010 a lone surrogate or text that is not in NFC.
    """
    hooks = _Hooks(path, file)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        hooks.fail("RX2002", f"not UTF-8 at byte {error.start}")
    if sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        hooks.fail("RX2006", f"more than {MOST_VALUES} commas and opening brackets")
    try:
        found = json.loads(
            text,
            object_pairs_hook=hooks.pairs,
            parse_int=hooks.integer,
            parse_float=hooks.real,
            parse_constant=hooks.constant,
        )
    except json.JSONDecodeError as error:
        hooks.fail("RX2003", f"not JSON: {error.msg} at line {error.lineno} column {error.colno}")
    except RecursionError:
        hooks.fail("RX2006", f"nested more than {DEEPEST} levels deep")
    if not isinstance(found, dict):
        hooks.fail("RX2003", f"expected a JSON object, got {type(found).__name__}")
    if _too_deep(found):
        hooks.fail("RX2006", f"nested more than {DEEPEST} levels deep")
    if not text.isascii() or "\\u" in text:
        hooks.check_texts(found)
    return found


class _Hooks:
    """What the parser calls for each object and number."""

    def __init__(self, path: str, file: str) -> None:
        self._path = path
        self._file = file

    def fail(self, code: str, message: str) -> NoReturn:
        """Refuse the text."""
        raise refuse(Finding(code, message, self._path), file=self._file)

    def pairs(self, items: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return an object, each key once."""
        found = dict(items)
        if len(found) != len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            self.fail("RX2004", f"the key {twice[:40]!r} stands twice")
        return found

    def check_texts(self, value: dict[str, Any]) -> None:
        """Refuse half characters and text that is not in normal form C."""
        for text in _texts(value):
            if SURROGATE.search(text):
                self.fail("RX2010", "an escape spells half a character (a lone surrogate)")
            if not unicodedata.is_normalized("NFC", text):
                self.fail("RX2010", "text is not in Unicode normal form C")

    def integer(self, text: str) -> int | float:
        """Return an integer that every JSON reader holds exactly, or a float without a fraction.

        RFC 8785 spells floats up to 1e21 in digits alone; other integers of that size are lost in
        readers that hold doubles.
        """
        if text == "-0":
            self.fail("RX2005", "negative zero, which RFC 8785 does not keep")
        if len(text) <= 17 and abs(int(text)) <= LARGEST_INTEGER:
            return int(text)
        if len(text) <= 22 and canonical_json(float(text)) == text:
            return float(text)
        return self.fail("RX2005", f"integer {text[:40]} is beyond 2^53 - 1; write it as a string")

    def real(self, text: str) -> float:
        """Return a finite number."""
        number = float(text)
        if not isfinite(number):
            self.fail("RX2005", f"number {text[:40]} is too large")
        if number == 0 and text.startswith("-"):
            self.fail("RX2005", "negative zero, which RFC 8785 does not keep")
        return number

    def constant(self, name: str) -> NoReturn:
        """Refuse NaN and infinities."""
        self.fail("RX2005", f"{name} is no JSON number")


def _texts(value: Any) -> Iterator[str]:
    """Yield every key and text, each by itself: its neighbours in the JSON are not part of it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _too_deep(value: dict[str, Any]) -> bool:
    """Return whether arrays and objects nest more than `DEEPEST` levels."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
