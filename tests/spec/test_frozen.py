"""The vectors of a released version stay as they are: files are added, never changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from radixfmt.model.canonical import canonical_json

SPEC = Path(__file__).resolve().parents[2] / "spec"
VECTORS = SPEC / "vectors"
LISTED = (VECTORS / "1.0.sha256").read_text("utf-8").splitlines()

FILES = 243
"""Of version 1.0: the first lines of the list. Later files have the lines behind them."""

RECORDS = 24
"""Generator vectors of version 1.0, likewise."""

LIST = "9350b97ca151cb03ca8516195a5dcaa02f1e331a99cf2631211114bdcf4845ec"
EXPECTED = "b61cea6c3860ddbcb5b23728d1b8d8db2d1a9927e5c25f1258604d1e3afa38f4"
GENERATORS = "97027a923a8e67f1f877df3254ebbcefe328bbb3a0f6cc8c5aefe704db8b53b0"
"""SHA-256 of what 1.0 says. To change one is to break the promise of section 10."""


def sha256(data: str | bytes) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


@pytest.mark.parametrize("line", LISTED, ids=lambda line: line[66:])
def test_a_listed_file_is_the_one_that_was_released(line):
    digest, name = line.split(maxsplit=1)
    assert sha256((VECTORS / name).read_bytes()) == digest


def test_what_version_1_0_lists_is_still_listed():
    assert sha256("\n".join(LISTED[:FILES])) == LIST


def test_every_vector_is_listed_once():
    names = [line.split(maxsplit=1)[1] for line in LISTED]
    there = [*VECTORS.glob("*/*.rx.h5"), *VECTORS.glob("valid/*.json"), VECTORS / "digests.json"]
    assert sorted(names) == sorted(path.relative_to(VECTORS).as_posix() for path in there)


def test_what_is_expected_of_invalid_files_is_what_was_released():
    names = [line.split("invalid/")[1] for line in LISTED[:FILES] if "invalid/" in line]
    entries = json.loads((VECTORS / "invalid/expected.json").read_text("utf-8"))["files"]
    assert sha256(canonical_json({name: entries[name] for name in names})) == EXPECTED


def test_generators_make_what_was_released():
    records = json.loads((SPEC / "generators/vectors.json").read_text("utf-8"))
    assert sha256(canonical_json(records[:RECORDS])) == GENERATORS


def test_hashed_bytes_are_those_of_the_digests():
    """By nothing but SHA-256 and the other vectors."""
    files = json.loads((VECTORS / "digests.json").read_text("utf-8"))
    kinds = set()
    for name, places in files.items():
        expected = json.loads((VECTORS / name.replace(".rx.h5", ".json")).read_text("utf-8"))
        for place, entry in places.items():
            data = entry["text"].encode() if "text" in entry else bytes.fromhex(entry["hex"])
            prefix, _, digest = entry["digest"].partition(":")
            assert sha256(data) == digest
            kinds.add((prefix, data.partition(b"\n")[0].decode()))
            group, _, what = place.rpartition(" ")
            if place.endswith("_digest"):
                assert expected["info"][place] == entry["digest"]
            elif group and what not in ("in_perm", "out_perm"):
                layer = expected["layers"][int(group.rpartition("/")[2])]
                assert layer["digests"][what] == entry["digest"]
    every = ("pattern", "values", "dense", "text", "topology", "content", "metadata")
    recipes = ("recipe", "values-recipe", "dense", "topology", "content")
    wanted = {("rx1", f"radixfmt-{kind}-1") for kind in every}
    assert kinds == wanted | {("rx1r", f"radixfmt-{kind}-1") for kind in recipes}
