"""Metadata: can a stranger cite the file and use it, and does it tell no more than it should?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from radixfmt.findings import Finding
from radixfmt.model.forms import is_doi, is_license, is_orcid, is_time
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from radixfmt.model.metadata import Metadata

WHERE = "/manifest"

LOCAL_PATH = re.compile(
    r"""
      file:/+[^\s'"]*                                        # file:///…
    | (?<![A-Za-z0-9])[A-Za-z]:[\\/](?!/)[^\s'"]*             # C:\… and C:/…
    | \\\\[\w.$-]+\\[^\s'"]+                                  # \\server\share
    | (?<![\w.:/~}-])/(?:home|Users|root|mnt|media|tmp|private|Volumes|scratch|data|work|workspace
        |content|var|srv|opt|etc|usr|net|nfs|gpfs|lustre|export)/[^\s'"]*
    """,
    re.VERBOSE,
)


@check("metadata", needs=("container",))
def metadata(view: View) -> Iterator[Finding]:
    """Yield what is malformed, missing, private or unknown in the manifest."""
    manifest = view.open_file.manifest
    known = manifest.metadata
    if known.license and not is_license(known.license):
        yield _malformed("RX2101", "license", "an SPDX expression, say CC-BY-4.0", known.license)
    yield from _form_problems(known)
    missing = [name for name in ("license", "authors", "provenance") if not getattr(known, name)]
    if missing:
        yield Finding("RX2103", f"no {', no '.join(missing)}", WHERE, pointer="/metadata")
    for pointer, text in _texts("/metadata", known.as_json()):
        if found := LOCAL_PATH.search(text):
            yield Finding(
                "RX2104",
                "an absolute path of somebody's machine",
                WHERE,
                pointer=pointer,
                expected="no such path",
                actual=found[0][:80],
            )
    for pointer in manifest.unknown:
        yield Finding("RX9101", "an unknown member", WHERE, pointer=pointer)


def _form_problems(known: Metadata) -> Iterator[Finding]:
    """Yield ORCIDs, DOIs and a time that are not well-formed."""
    for i, author in enumerate(known.authors):
        orcid = author.get("orcid")
        if orcid and not is_orcid(str(orcid)):
            expected = "0000-0002-1825-0097 or alike, with its check digit"
            yield _malformed("RX2102", f"authors/{i}/orcid", expected, str(orcid))
    for i, source in enumerate(known.citation):
        doi = source.get("doi")
        if doi and not is_doi(str(doi)):
            yield _malformed("RX2102", f"citation/{i}/doi", "10.NUMBER/NAME", str(doi))
    if known.created and not is_time(known.created):
        yield _malformed("RX2102", "created", "ISO 8601, say 2030-12-31T23:59:59Z", known.created)


def _malformed(code: str, place: str, expected: str, actual: str) -> Finding:
    return Finding(
        code,
        "not well-formed",
        WHERE,
        pointer=f"/metadata/{place}",
        expected=expected,
        actual=actual[:80],
    )


def _texts(pointer: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every string, keys too, with the JSON pointer of its place."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, item in value.items():
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            yield place, key
            yield from _texts(place, item)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _texts(f"{pointer}/{i}", item)
