"""Who made a network, from what, and under which licence. Nothing here changes a result."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ORCID = re.compile(r"(?:https://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")


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
        other: members that the specification does not name, kept as they are.
    """

    name: str = ""
    description: str = ""
    license: str = ""
    authors: tuple[Mapping[str, str], ...] = ()
    citation: tuple[Mapping[str, str], ...] = ()
    created: str = ""
    provenance: tuple[Mapping[str, Any], ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict)
    other: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the fields that say something, as plain JSON values."""
        named = {
            f.name: list(value) if isinstance(value := getattr(self, f.name), tuple) else value
            for f in fields(self)
            if f.name != "other"
        }
        return dict(self.other) | {name: value for name, value in named.items() if value}


def described(
    metadata: Metadata,
    *,
    name: str | None = None,
    description: str | None = None,
    license: str | None = None,  # noqa: A002  the field's name everywhere
    authors: Sequence[str] = (),
    citations: Sequence[str] = (),
    created: str | None = None,
) -> Metadata:
    """Return `metadata` with what a person says of the network; None and () leave a field.

    Args:
        metadata: what is known already.
        name: short name.
        description: free text.
        license: SPDX expression.
        authors: each a name, with an ORCID after it if there is one.
        citations: each a DOI, a URL, or free text.
        created: ISO 8601 time.
    """
    said: dict[str, Any] = {
        "name": name,
        "description": description,
        "license": license,
        "authors": tuple(_author(text) for text in authors) or None,
        "citation": tuple(_citation(text) for text in citations) or None,
        "created": created,
    }
    return replace(metadata, **{key: value for key, value in said.items() if value is not None})


def _author(text: str) -> dict[str, str]:
    person, _, last = text.strip().rpartition(" ")
    found = ORCID.fullmatch(last)
    return {"name": person.strip(), "orcid": found[1]} if found else {"name": text.strip()}


def _citation(text: str) -> dict[str, str]:
    plain = text.strip().removeprefix("https://doi.org/").removeprefix("doi:")
    if plain.startswith("10."):
        return {"doi": plain}
    return {"url" if plain.startswith(("http://", "https://")) else "text": plain}
