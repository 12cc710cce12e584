"""Is this the network that was cited?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator


@check("expect", needs=("digests",), option="expect")
def expect(view: View) -> Iterator[Finding]:
    """Yield the cited digests that are not of what the file holds.

    Compared are the recomputed digests: those that a file declares prove nothing.
    """
    # what was not expanded was taken from the file, and so were the digests that rest on it
    declared = any(skipped.check == "expansion" for skipped in view.skipped)
    known = None if declared else view.digests
    for cited in view.expect:
        if known is None or cited not in (known.topology, known.content):
            yield Finding(
                "RX8009",
                "not the network that was cited",
                expected=cited,
                actual="digests that were not recomputed"
                if known is None
                else f"topology {known.topology}, content {known.content}",
            )
