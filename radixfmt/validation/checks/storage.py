"""Hints: would the same arrays be smaller, or faster to read, stored in another way?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALLEST_COMPRESSED = 4 << 10
SMALLEST_CHUNK, LARGEST_CHUNK = 8 << 10, 4 << 20
MANY_CHUNKS = 64
ARRAYS = ("pointers_to_1", "indices_1", "values")


@check("storage", needs=("structure",))
def storage(view: View) -> Iterator[Finding]:
    """Yield one hint of each kind, with the first place and the number of places."""
    plain: list[str] = []
    odd: list[tuple[str, int]] = []
    guard = view.open_file.guard
    for layer in guard.names("/layers"):
        present = set(guard.names(f"/layers/{layer}"))
        for name in ARRAYS:
            if name not in present:
                continue
            path = f"/layers/{layer}/{name}"
            known = guard.array(path).profile
            if name == "indices_1" and known.nbytes >= SMALLEST_COMPRESSED and not known.filters:
                plain.append(path)
            many = known.chunk_bytes * MANY_CHUNKS < known.nbytes
            small = known.chunk_bytes < SMALLEST_CHUNK and many
            if known.chunk and (small or known.chunk_bytes > LARGEST_CHUNK):
                odd.append((path, known.chunk_bytes))
    if plain:
        yield Finding("RX9201", "indices are not compressed", plain[0], count=len(plain))
    if odd:
        yield Finding(
            "RX9202",
            "chunks of a size that suits no reader",
            odd[0][0],
            count=len(odd),
            expected="64 KiB to 1 MiB",
            actual=f"{odd[0][1]} bytes",
        )
