"""Drafts brought up to version 1.0, one file each: a function of their manifest.

`convert` uses them; `open` refuses drafts, since drafts promise nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from radixfmt.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

migration: Registry[Callable[[dict[str, Any], Callable[[int], NDArray[Any]]], dict[str, Any]]] = (
    Registry("draft of the format", __name__)
)
"""Version → function (manifest, tensor reader) → manifest of `FORMAT_VERSION`, not yet checked."""
