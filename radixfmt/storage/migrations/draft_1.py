"""`1.0-draft.1`: tensors were names alone; layers are those of 1.0."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from radixfmt.model.digest import dense_digest
from radixfmt.storage.manifest import FORMAT_VERSION, TensorHeader
from radixfmt.storage.migrations import migration

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@migration("1.0-draft.1")
def from_draft_1(manifest: dict[str, Any], tensor: Callable[[int], NDArray[Any]]) -> dict[str, Any]:
    """Return the manifest with what each tensor is, read from the tensors themselves."""
    names = manifest.get("tensors")
    described = []
    for i, name in enumerate(names if isinstance(names, list) else []):
        value = tensor(i)
        found = TensorHeader(name, value.dtype.name, value.shape, dense_digest(value))
        described.append(asdict(found) | {"shape": list(value.shape)})
    return manifest | {"version": FORMAT_VERSION, "tensors": described}
