"""`1.0-draft.2`: all but its version is as in 1.0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.storage.manifest import FORMAT_VERSION
from radixfmt.storage.migrations import migration

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@migration("1.0-draft.2")
def from_draft_2(manifest: dict[str, Any], tensor: Callable[[int], NDArray[Any]]) -> dict[str, Any]:  # noqa: ARG001  a migration's signature
    """Return the manifest with its version."""
    return manifest | {"version": FORMAT_VERSION}
