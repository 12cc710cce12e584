"""Superblock, version and manifest: can the file be opened at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.storage import File
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator


@check("container", needs=())
def container(view: View) -> Iterator[Finding]:
    """Open the file; what the reader refuses is the finding."""
    view.file = File(view.path)
    if "draft" in view.file.version:
        yield Finding(
            "RX0205",
            f"written by a draft of the format, {view.file.version}",
        )
