"""Typed access to the members of a JSON object, with errors that name the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from radixfmt.findings import Finding, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


def escaped(key: str) -> str:
    """Return a key as JSON pointers spell it (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


class Fields:
    """An object at a place of a JSON text; it remembers which members somebody asked for.

    Args:
        value: the object.
        pointer: its place in the text.
        path: the text's place in the file.
        file: for messages.
    """

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
        return self._child(escaped(key), self.get(key, dict))

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
                yield f"{self._pointer}/{escaped(key)}"
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
            pointer=f"{self._pointer}/{key}" if key else self._pointer,
            expected=expected,
            actual=actual,
        )
        return refuse(finding, file=self._file)
