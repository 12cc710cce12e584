"""Who made a network, from what, and under which licence. Nothing here changes a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Metadata:
    """What `metadata_digest` covers (spec §7); times appear only when a user passes them.

    Attributes:
        name: short name of the network.
        description: free text.
        license: SPDX expression, or "".
        authors: `{"name": …, "orcid": …}` records.
        citation: `{"doi": …}` or `{"url": …}` records.
        created: ISO 8601 time given by the user, or "".
        provenance: what was done, oldest first: `{"activity", "tool", "parameters", …}`.
        training: free JSON about how weights came to be.
    """

    name: str = ""
    description: str = ""
    license: str = ""
    authors: tuple[Mapping[str, str], ...] = ()
    citation: tuple[Mapping[str, str], ...] = ()
    created: str = ""
    provenance: tuple[Mapping[str, Any], ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the fields that say something, as plain JSON values."""
        from dataclasses import fields

        found = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found
            if value
        }
