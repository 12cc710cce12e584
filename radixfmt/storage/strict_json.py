"""JSON from a stranger: one spelling of everything, and no surprises (spec §3)."""

from __future__ import annotations

import json
import re
import unicodedata
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from radixfmt.findings import Finding, refuse
from radixfmt.model.canonical import LARGEST_INTEGER, canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

SURROGATE = re.compile("[\ud800-\udfff]")

DEEPEST = 32
"""Levels of arrays and objects."""


def parse(data: bytes, *, path: str, file: str) -> dict[str, Any]:
    """Return the object `data` spells.

    Raises:
        FormatError: RX2002 not UTF-8, RX2003 not JSON or no object, RX2004 a key twice, RX2005 a
            number that is not finite or too large, RX2006 nested too deeply, RX2010 a lone
            surrogate or text that is not in NFC.
    """
    hooks = _Hooks(path, file)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        hooks.fail("RX2002", f"not UTF-8 at byte {error.start}")
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
    plain = json.dumps(found, ensure_ascii=False)
    if not plain.isascii() and SURROGATE.search(plain):
        hooks.fail("RX2010", "an escape spells half a character (a lone surrogate)")
    if not unicodedata.is_normalized("NFC", plain):
        hooks.fail("RX2010", "text is not in Unicode normal form C")
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

    def integer(self, text: str) -> int | float:
        """Return an integer that every JSON reader holds exactly, or a float without a fraction.

        RFC 8785 spells floats up to 1e21 in digits alone; other integers of that size are lost in
        readers that hold doubles.
        """
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
        return number

    def constant(self, name: str) -> NoReturn:
        """Refuse NaN and infinities."""
        self.fail("RX2005", f"{name} is no JSON number")


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


class Fields:
    """Typed access to the members of a JSON object, with errors that name the place."""

    def __init__(self, value: dict[str, Any], *, pointer: str, path: str, file: str) -> None:
        self._value = value
        self._pointer = pointer
        self._path = path
        self._file = file
        self._read: set[str] = set()
        self._children: list[Fields] = []

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return member `key` as a `kind`; required unless there is a default.

        Raises:
            FormatError: RX2007, missing or of another type.
        """
        self._read.add(key)
        value = self._value.get(key, default)
        wrong = not isinstance(value, kind) or (kind is int and isinstance(value, bool))
        if wrong:
            raise self.wrong(key, kind.__name__, "nothing" if value is None else repr(value)[:60])
        return value  # type: ignore[return-value]  # checked above

    def items(self, key: str, kind: type[T], *, default: list[T] | None = None) -> list[T]:
        """Return member `key` as a list of `kind`."""
        values = self.get(key, list, default)
        for i, value in enumerate(values):
            if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
                raise self.wrong(f"{key}/{i}", kind.__name__, repr(value)[:60])
        return values

    def shape(self, key: str = "shape") -> tuple[int, int]:
        """Return member `key` as (n_in, n_out)."""
        sizes = self.get(key, list)
        if len(sizes) != 2 or not all(type(size) is int and 0 <= size <= 2**40 for size in sizes):
            raise self.wrong(key, "two integers from 0 to 2^40", str(sizes)[:60], "RX3008")
        return sizes[0], sizes[1]

    def into(self, key: str) -> Fields:
        """Return access to the object that is member `key`."""
        return self._child(key, self.get(key, dict))

    def each(self, key: str) -> list[Fields]:
        """Return access to the objects of the list that is member `key`."""
        return [self._child(f"{key}/{i}", value) for i, value in enumerate(self.items(key, dict))]

    def _child(self, key: str, value: dict[str, Any]) -> Fields:
        pointer = f"{self._pointer}/{key}"
        child = Fields(value, pointer=pointer, path=self._path, file=self._file)
        self._children.append(child)
        return child

    def unread(self) -> Iterator[str]:
        """Yield pointers to the members, here and below, that nobody asked for."""
        for key in self._value:
            if key not in self._read:
                yield f"{self._pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        for child in self._children:
            yield from child.unread()

    def has(self, key: str) -> bool:
        """Return whether there is a member `key`."""
        return key in self._value

    @property
    def value(self) -> dict[str, Any]:
        """The object itself; all of it counts as asked for."""
        self._read.update(self._value)
        return self._value

    def wrong(self, key: str, expected: str, actual: str, code: str = "RX2007") -> Exception:
        """Return the error for member `key`."""
        finding = Finding(
            code,
            "a member is missing or not what it must be",
            self._path,
            pointer=f"{self._pointer}/{key}",
            expected=expected,
            actual=actual,
        )
        return refuse(finding, file=self._file)
