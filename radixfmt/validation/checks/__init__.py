"""Checks, one file each: a function that yields findings about an open file.

A check names the checks it rests on; where one of those found an error it is skipped and the
report says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from radixfmt.findings import Finding
    from radixfmt.storage import File
    from radixfmt.storage.header import LayerHeader


@dataclass(slots=True)
class View:
    """What checks share about the file under validation.

    Attributes:
        path: the file.
        file: open, once the check `container` has passed.
        headers: of all layers, once the check `headers` has passed.
    """

    path: str
    file: File | None = None
    headers: list[LayerHeader] = field(default_factory=list)

    @property
    def open_file(self) -> File:
        """The open file, for checks that rest on `container`."""
        if self.file is None:
            raise RuntimeError("this check must need 'container'")
        return self.file


check: Registry[Callable[[View], Iterator[Finding]]] = Registry("check", __name__)
