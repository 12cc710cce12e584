"""The walk of a whole file: every link, name, attribute and object is looked at, and none hurts.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError
from radixfmt.limits import Limits
from radixfmt.storage.guard import Guard
from radixfmt.storage.structure import walk

V110 = ("v110", "v110")


def found(path, change, *, limits=None, libver=V110):
    """Return (code, path) of each finding in a file that `change` builds."""
    with h5py.File(path, "w", libver=libver) as file:
        change(file)
    guard = Guard(path, trusted=libver != V110, limits=limits or Limits())
    findings = list(walk(guard))
    guard.close()
    return [(finding.code, finding.path) for finding in findings]


def text(value):
    return np.array(value, h5py.string_dtype("utf-8", max(len(value), 1)))


def attribute(value, name="note"):
    return lambda f: f.create_group("ext/a.b").attrs.create(name, value)


def low_attribute(kind, raw):
    """An attribute of exactly these bytes."""

    def change(f):
        owner = f.create_group("ext/a.b")
        space = h5py.h5s.create(h5py.h5s.SCALAR)
        made = h5py.h5a.create(owner.id, b"note", kind, space)
        made.write(np.frombuffer(raw, f"V{len(raw)}").reshape(()), kind)

    return change


def string_type(size, *, charset=h5py.h5t.CSET_UTF8, padding=h5py.h5t.STR_NULLPAD):
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(size)
    kind.set_cset(charset)
    kind.set_strpad(padding)
    return kind


def put(path, link):
    return lambda f: f.__setitem__(path, link)


def alias(f):
    f.create_group("layers/000000")
    f["layers/000001"] = f["layers/000000"]


def cycle(f):
    f.create_group("ext/a.b/c")
    f["ext/a.b/c/d"] = f["ext/a.b"]


def dataset_alias(f):
    f["ext/a.b/x"] = np.ones(3)
    f["ext/a.b/y"] = f["ext/a.b/x"]


def deep(levels):
    def change(f):
        node = f.create_group("ext").id
        for _ in range(levels):
            node = h5py.h5g.create(node, b"d")

    return change


CASES = {
    "19-external-link": (put("ext/x", h5py.ExternalLink("/etc/passwd", "/")), ("RX1002", "/ext/x")),
    "20-dangling-soft-link": (put("ext/x", h5py.SoftLink("/nowhere")), ("RX1001", "/ext/x")),
    "21-soft-self-loop": (put("ext/x", h5py.SoftLink("/ext/x")), ("RX1001", "/ext/x")),
    "22-hard-cycle": (cycle, ("RX1005", "/ext/a.b/c/d")),
    "22-root-in-itself": (lambda f: f.__setitem__("ext", f["/"]), ("RX1005", "/ext")),
    "23-alias": (alias, ("RX1004", "/layers/000001")),
    "23-dataset-alias": (dataset_alias, ("RX1004", "/ext/a.b/y")),
    "27-deep": (deep(10_000), ("RX1006", "/ext" + "/d" * 8)),
    "29-upper-case": (put("CON", np.ones(1)), ("RX1007", "/CON")),
    "29-new-line": (put("a\nb", np.ones(1)), ("RX1007", "/a\\nb")),
    "29-right-to-left": (put("a\u202eb", np.ones(1)), ("RX1007", "/a\\u202eb")),
    "29-two-dots": (put("..", np.ones(1)), ("RX1007", "/..")),
    "29-long": (put("a" * 60_000, np.ones(1)), ("RX1007", "/" + "a" * 64)),
    "51-attribute-of-10-mebibytes": (
        attribute(text(b"x" * (10 << 20))), ("RX1041", "/ext/a.b")),
    "52-variable": (attribute("text"), ("RX1042", "/ext/a.b")),
    "52-not-utf-8": (low_attribute(string_type(3), b"a\xffb"), ("RX1042", "/ext/a.b")),
    "52-nul-inside": (low_attribute(string_type(3), b"a\0b"), ("RX1042", "/ext/a.b")),
    "52-padded-with-spaces": (
        low_attribute(string_type(3, padding=h5py.h5t.STR_SPACEPAD), b"a  "),
        ("RX1042", "/ext/a.b")),
    "52-array": (attribute([b"a", b"b"]), ("RX1042", "/ext/a.b")),
    "52-number": (attribute(3), ("RX1042", "/ext/a.b")),
    "52-empty": (attribute(h5py.Empty("S3")), ("RX1042", "/ext/a.b")),
    "unknown-group": (lambda f: f.create_group("other/deeper"), ("RX1051", "/other")),
    "unknown-dataset": (put("layers/000000/other", np.ones(1)), ("RX1051", "/layers/000000/other")),
    "unknown-attribute": (lambda f: f.attrs.create("other", text(b"x")), ("RX1051", "/")),
    "committed-type": (
        lambda f: h5py.h5t.STD_U32LE.copy().commit(f.create_group("ext").id, b"t"),
        ("RX1031", "/ext/t")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("libver", [V110, "earliest"], ids=["new", "old"])
def test_each_trouble_is_found_once_at_its_place(name, libver, tmp_path):
    if libver == "earliest" and name in ("51-attribute-of-10-mebibytes", "29-long"):
        pytest.skip("old files cannot hold it")
    change, expected = CASES[name]
    assert found(tmp_path / "bad.h5", change, libver=libver) == [expected]


def test_24_a_user_defined_link_is_not_followed(tmp_path):
    path = tmp_path / "bad.h5"
    with h5py.File(path, "w", libver="earliest") as file:  # without checksums, to be edited
        file["ext/user-defined"] = h5py.ExternalLink("file", "/object")
    whole = bytearray(path.read_bytes())
    at = whole.rindex(b"\x40", 0, whole.index(b"user-defined"))
    whole[at] = 70  # the class of external links, 64, becomes one that nobody defined
    path.write_bytes(whole)
    guard = Guard(path, trusted=True)
    assert [(f.code, f.path) for f in walk(guard)] == [("RX1003", "/ext/user-defined")]
    with pytest.raises(FormatError, match="RX1003"):
        guard.kind("/ext/user-defined")
    guard.close()


def test_good_files_have_no_findings(tmp_path, small):
    for storage in ("procedural", "explicit"):
        path = tmp_path / f"{storage}.rx.h5"
        rx.write(path, small, storage=storage)
        guard = Guard(path)
        assert list(walk(guard)) == []
        guard.close()

    def extension(f):
        f["ext/org.example/a/b"] = np.ones((2,) * 8, "<u2")
        f["ext/org.example/note"] = text(b"grown by hand")

    assert found(tmp_path / "ext.h5", extension) == []


@pytest.mark.parametrize("libver", [V110, "earliest"], ids=["new", "old"])
def test_28_many_objects_end_the_walk_before_they_are_listed(libver, tmp_path, monkeypatch):
    def many(f):
        for i in range(5000):
            h5py.h5g.create(f.id, b"%d" % i)

    opened = []
    original = h5py.h5o.open
    monkeypatch.setattr(h5py.h5o, "open", lambda *a: opened.append(a) or original(*a))
    limits = Limits(objects=4000)
    assert found(tmp_path / "many.h5", many, limits=limits, libver=libver) == [("RX1006", "/")]
    assert not opened


def test_51_many_attributes_are_not_listed(tmp_path, monkeypatch):
    def many(f):
        for i in range(20_000):
            f.attrs.create(f"a{i}", text(b"x"))

    monkeypatch.setattr(h5py.h5a, "iterate", None)
    assert found(tmp_path / "many.h5", many) == [("RX1041", "/")]


def test_a_flood_of_unknown_things_is_counted_and_errors_behind_it_are_seen(tmp_path):
    def flood(f):
        for i in range(3000):
            f[f"a{i:04d}"] = np.ones(1, "u1")
        f["z"] = h5py.SoftLink("/a0000")

    codes = [code for code, _ in found(tmp_path / "flood.h5", flood)]
    assert len(codes) < 200
    assert "RX1001" in codes


def test_paths_through_aliases_do_not_multiply(tmp_path):
    """64 names for each of 8 groups would be 64^8 paths to whoever follows names."""

    def maze(f):
        inner = f.create_group("ext/a0")
        for level in range(1, 7):
            for twin in "bcd":
                f[f"ext/a{level}/{twin}"] = inner
            inner = f[f"ext/a{level}"]

    with h5py.File(tmp_path / "maze.h5", "w", libver=V110) as file:
        maze(file)
    guard = Guard(tmp_path / "maze.h5")
    assert guard.kind("/ext/a1/b/") == "group"
    for twin in ("/ext/a1/c", "/ext/a0"):
        with pytest.raises(FormatError, match="RX1004"):
            guard.kind(twin)
    guard.close()


def test_damaged_metadata_is_a_finding_with_a_path(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver=V110) as file:
        for i in range(20):
            file[f"layers/{i:06d}/values"] = np.ones(10, "<f4")
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    codes = set()
    for _ in range(300):
        mutant = whole.copy()
        at = rng.integers(48, whole.size, 2)
        mutant[at] ^= rng.integers(1, 256, 2, np.uint8)
        path.write_bytes(mutant.tobytes())
        try:
            guard = Guard(path)
        except FormatError as error:
            codes.add(error.code)
            continue
        findings = list(walk(guard))
        assert all(f.path.startswith("/") for f in findings)
        codes |= {f.code for f in findings}
        guard.close()
    assert "RX0108" in codes


def test_hints_count_what_could_be_stored_better(tmp_path, small):
    path = tmp_path / "net.rx.h5"
    rx.write(path, small, storage="explicit")
    with h5py.File(path, "r+", libver=V110) as file:
        for i in range(2):
            group = file[f"layers/{i:06d}"]
            del group["indices_1"], group["values"]
            group["indices_1"] = np.zeros(2000, "<u4")
            group.create_dataset("values", data=np.ones(2000, "<f4"), chunks=(16,))
    from radixfmt.storage.reader import Reader
    from radixfmt.validation.checks import View
    from radixfmt.validation.checks.storage import storage

    file = Reader(path)
    hints = {f.code: (f.path, f.count) for f in storage(View(str(path), file))}
    assert hints == {
        "RX9201": ("/layers/000000/indices_1", 2),
        "RX9202": ("/layers/000000/values", 2),
    }
    file.guard.close()
