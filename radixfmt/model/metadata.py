"""Who made a network, from what, and under which licence. Nothing here changes a result."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from radixfmt.errors import ParameterError
from radixfmt.model.forms import DOI, ORCID, is_license, is_orcid, is_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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

    Raises:
        ParameterError: a licence, an ORCID, a DOI or a time that is not well-formed.
    """
    for what, text, well_formed, example in (
        ("license", license, is_license, "an SPDX expression, say CC-BY-4.0 or LicenseRef-mine"),
        ("created", created, is_time, "ISO 8601, say 2030-12-31T23:59:59Z"),
    ):
        if text and not well_formed(text):
            raise ParameterError(f"{what}: expected {example}, got {text!r:.80}")
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
    if found is None:
        return {"name": text.strip()}
    if not is_orcid(last) or not person.strip():
        raise ParameterError(
            f"author: expected a name and an ORCID with its check digit, got {text!r:.80}"
        )
    return {"name": person.strip(), "orcid": found[1]}


def _citation(text: str) -> dict[str, str]:
    plain = text.strip()
    found = DOI.fullmatch(plain)
    if found is not None:
        return {"doi": found[1]}
    return {"url" if plain.startswith(("http://", "https://")) else "text": plain}
