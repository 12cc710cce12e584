"""Objects, links, names, types and sizes, of everything that is in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.storage.structure import walk
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.findings import Finding


@check("structure", needs=("container",))
def structure(view: View) -> Iterator[Finding]:
    """Yield what is wrong with the file's structure."""
    yield from walk(view.open_file.guard)
