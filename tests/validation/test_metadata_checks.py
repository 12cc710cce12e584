"""What the checks say of licences, people, citations and places (numbers: bad files)."""

from __future__ import annotations

import pytest
from file_edits import edit_json


def metadata(**changes):
    return lambda f: edit_json(f, "manifest", lambda v: v["metadata"].update(changes))


METADATA = {
    "63-license": (metadata(license="free"), "RX2101", "/license"),
    "63-orcid": (
        metadata(authors=[{"name": "A", "orcid": "0000-0002-1825-0098"}]),
        "RX2102", "/authors/0/orcid",
    ),
    "doi": (metadata(citation=[{"doi": "doi.org/x"}]), "RX2102", "/citation/0/doi"),
    "created": (metadata(created="yesterday"), "RX2102", "/created"),
    "63-home": (
        metadata(provenance=[{"tool": "t", "parameters": {"a/b": ["", "--in=/home/al/x"]}}]),
        "RX2104", "/provenance/0/parameters/a~1b/1",
    ),
    "windows": (metadata(description="from C:\\Users\\al\\x"), "RX2104", "/description"),
    "share": (metadata(description="see \\\\server\\share\\x"), "RX2104", "/description"),
    "url of a file": (metadata(training={"data": "file:///x"}), "RX2104", "/training/data"),
    "user": (metadata(training={"/Users/al/x": 1}), "RX2104", "/training/~1Users~1al~1x"),
}  # fmt: skip


@pytest.mark.parametrize("case", METADATA)
def test_metadata(case, edited):
    change, code, pointer = METADATA[case]
    assert edited(change)[code].pointer == f"/metadata{pointer}"


def test_metadata_for_exchange_is_silent(edited):
    whole = metadata(
        license="CC-BY-4.0 OR Apache-2.0",
        authors=[
            {"name": "A", "orcid": "0000-0002-1825-0097"},
            {"name": "B", "orcid": "https://orcid.org/0000-0002-1694-233X"},
        ],
        citation=[
            {"doi": "10.48550/arXiv.1905.00416"},
            {"doi": "https://doi.org/10.1000/x"},
        ],
        created="2030-05-01T10:00:00Z",
        provenance=[{"activity": "train", "tool": "https://x.org/home/user/a, a/home/b, 1/2"}],
        description="/layers/000000 of ratio 3:/4 and and/or; c:x",
    )
    found = edited(whole)
    assert not [code for code in found if code.startswith("RX21")], found
    assert edited(metadata(license="MIT"))["RX2103"].message == "no authors"
