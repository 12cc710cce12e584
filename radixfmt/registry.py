"""The only plugin mechanism: a name, an implementation, and a decorator that joins them.

A registry belongs to one package (`radixfmt.topologies`, say). On first look-up it imports every
module of that package, and when a name is not among them, or all are listed, every entry point of
the group of the same name: an implementation is one file with one decorator, ours or a third
party's.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from threading import RLock
from typing import Any, Generic, TypeVar, cast

from radixfmt.errors import MissingDependencyError, UnknownNameError

T = TypeVar("T")
E = TypeVar("E")


class Registry(Mapping[str, T], Generic[T]):
    """Named implementations of one extension point, discovered on first use.

    Args:
        kind: what one entry is, in the singular, for messages ("topology").
        package: the package whose modules register themselves; also the entry-point group.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}
        self._facts: dict[str, Mapping[str, Any]] = {}
        self._stages: list[Callable[[], None]] = [self._import_modules, self._import_plugins]
        self._busy = False
        self._lock = RLock()

    def __call__(self, name: str, **facts: Any) -> Callable[[E], E]:
        """Return a decorator that registers its argument under `name` and hands it back."""

        def register(entry: E) -> E:
            if name in self._entries:
                raise ValueError(
                    f"{self.kind} {name!r} is registered twice: "
                    f"by {self._entries[name]!r} and by {entry!r}"
                )
            self._entries[name] = cast("T", entry)
            self._facts[name] = facts
            return entry

        return register

    def facts(self, name: str) -> Mapping[str, Any]:
        """Return what the decorator recorded beside the implementation."""
        self[name]
        return self._facts[name]

    def __getitem__(self, name: str) -> T:
        if name in self:
            return self._entries[name]
        import difflib  # only for misspelt names

        close = difflib.get_close_matches(name, self._entries, n=1)
        raise UnknownNameError(
            f"unknown {self.kind} {name!r}; expected one of: {', '.join(self)}",
            hint=f"Did you mean {close[0]!r}?" if close else None,
        )

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        self._discover(name)
        return name in self._entries

    def _discover(self, wanted: object = None) -> None:
        """Import what may register entries, until `wanted` is there."""
        while self._stages and wanted not in self._entries:
            with self._lock:
                if self._busy:  # a module looks up while it is imported
                    return
                self._busy = True
                try:
                    if self._stages:
                        self._stages[0]()
                        del self._stages[0]
                finally:
                    self._busy = False

    def _import_modules(self) -> None:
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")

    def _import_plugins(self) -> None:
        from importlib.metadata import entry_points  # costs more than all of the above

        for entry_point in entry_points(group=self._package):
            try:
                entry_point.load()
            except Exception as error:
                raise MissingDependencyError(
                    f"plugin {entry_point.name!r} of {self._package} cannot be loaded: {error!r}",
                    hint="update or uninstall the distribution that brings it",
                ) from error
