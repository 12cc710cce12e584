"""Checks, one file each: a function that yields findings about an open file.

A check names the checks it rests on (`needs=`); where one of those found an error it is skipped
and the report says so. `option=` names a member of `View` without which nobody asks for the check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from radixfmt.limits import Limits
from radixfmt.registry import Registry
from radixfmt.storage.verify import affordable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from radixfmt.findings import Finding
    from radixfmt.model.digest import NetworkDigests
    from radixfmt.storage.header import LayerHeader
    from radixfmt.storage.reader import Reader
    from radixfmt.validation.report import Skipped


@dataclass(slots=True)
class View:
    """What checks share about the file under validation.

    Attributes:
        path: the file.
        file: open, once the check `container` has passed.
        headers: of all layers, once the check `headers` has passed.
        limits: of what the file may use.
        expand: make generated layers also beyond `limits.expand`.
        expect: digests that the network has to have.
        trusted: whether this process may be lost, so that any HDF5 file may be opened.
        digests: as recomputed from the content, once the check `digests` has passed and nothing
            was too large for it.
        skipped: what a check left out without a fault of the file, and how to ask for it.
    """

    path: str
    file: Reader | None = None
    headers: list[LayerHeader] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    expand: bool = False
    expect: tuple[str, ...] = ()
    trusted: bool = False
    digests: NetworkDigests | None = None
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def made(self) -> list[bool]:
        """Of which layers the generated edges are made."""
        return affordable(self.headers, inf if self.expand else self.limits.expand)

    @property
    def open_file(self) -> Reader:
        """The open file, for checks that rest on `container`."""
        if self.file is None:
            raise RuntimeError("this check must need 'container'")
        return self.file


check: Registry[Callable[[View], Iterator[Finding]]] = Registry("check", __name__)
