"""53 to 64: JSON that lies, and versions from elsewhere.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import pytest

import radixfmt as rx
from radixfmt.codes import CODES

DEEP = b"[" * 100_000 + b"]" * 100_000
EXOTIC = ("__proto__", "__class__", "__init__", "constructor")


def exotic():
    return {name: {"polluted": True} for name in EXOTIC}


def raw(data):
    return lambda e: e.raw_manifest(data)


def manifest(change):
    return lambda e: e.manifest(change)


def with_number(text):
    """Put a number that is spelt so where a size is expected."""
    return lambda e: e.raw_manifest(
        e.file["manifest"][()].replace(b'"shape":["B",6]', b'"shape":["B",' + text + b"]")
    )


def version(text, **members):
    def change(e):
        e.attribute("format_version", text)
        e.manifest(lambda v: v.update(version=text, **members))

    return change


def unlike(e):
    e.attribute("format_version", "1.0")
    e.manifest(lambda v: v.update(version="1.1"))


def large_manifest(e):
    e.manifest(lambda v: v["metadata"].update(description="x" * (17 << 20)))


def node(**changes):
    return manifest(lambda v: v["graph"]["nodes"][1].update(changes))


CASES = {
    "53-not-utf-8": (raw(b'{"a":"\xff"}'), {"RX2002"}),
    "53-overlong": (raw(b'{"a":"\xc0\xaf"}'), {"RX2002"}),
    "54-trailing-comma": (raw(b'{"a":1,}'), {"RX2003"}),
    "54-comment": (raw(b'{"a":1 /* one */}'), {"RX2003"}),
    "54-byte-order-mark": (raw(b'\xef\xbb\xbf{"a":1}'), {"RX2003"}),
    "54-no-object": (raw(b"[1]"), {"RX2003"}),
    "54-nothing": (raw(b" "), {"RX2003"}),
    "54-two": (raw(b"{}{}"), {"RX2003"}),
    "55-key-twice": (raw(b'{"version":"1.0","version":"1.1"}'), {"RX2004"}),
    "55-key-twice-spelt-otherwise": (raw(b'{"a":1,"\\u0061":2}'), {"RX2004"}),
    "55-key-twice-deep-inside": (raw(b'{"a":[{"b":{"c":1,"c":1}}]}'), {"RX2004"}),
    "56-nan": (raw(b'{"a":NaN}'), {"RX2005"}),
    "56-infinity": (raw(b'{"a":-Infinity}'), {"RX2005"}),
    "56-1e999": (with_number(b"1e999"), {"RX2005"}),
    "56-30-digits": (with_number(b"9" * 30), {"RX2005"}),
    "56-a-million-digits": (with_number(b"9" * 10**6), {"RX2005"}),
    "56-2^53+1": (with_number(str(2**53 + 1).encode()), {"RX2005"}),
    "57-100000-arrays": (raw(DEEP), {"RX2006"}),
    "57-100000-arrays-inside": (raw(b'{"a":' + DEEP + b"}"), {"RX2006"}),
    "57-100000-objects": (raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), {"RX2006"}),
    "57-33-arrays": (raw(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"), {"RX2006"}),
    "58-17-mebibytes": (large_manifest, {"RX2006"}),
    "59-graph-is-a-number": (manifest(lambda v: v.update(graph=3)), {"RX2007"}),
    "59-graph-is-absent": (manifest(lambda v: v.pop("graph")), {"RX2007"}),
    "59-layer-is-a-boolean": (node(layer=True), {"RX2007"}),
    "59-attribute-without-a-type": (node(attributes={"alpha": {}}), {"RX2007"}),
    "60-two-versions": (unlike, {"RX2009"}),
    "60-other-format": (manifest(lambda v: v.update(format="nir")), {"RX2009"}),
    "61-other-format-attribute": (lambda e: e.attribute("format", "other"), {"RX0201"}),
    "61-newer-major": (version("2.0"), {"RX0202"}),
    "61-unknown-feature": (version("1.7", requires=["op.lambda/1"]), {"RX0203"}),
    "61-newer-minor": (version("1.7"), {"RX0207"}),
    "61-one": (version("one"), {"RX0204"}),
    "61-arabic-digits": (version("\N{ARABIC-INDIC DIGIT ONE}.0"), {"RX0204"}),
    "61-zero-in-front": (version("1.00"), {"RX0204"}),
    "61-newer-draft": (version("1.1-draft.1"), {"RX0202", "RX0205"}),
    "62-lone-surrogate": (raw(b'{"a":"\\ud800"}'), {"RX2010"}),
    "62-not-normal": (raw('{"a":"e\u0301"}'.encode()), {"RX2010"}),
    "64-in-the-manifest": (manifest(lambda v: v.update(exotic())), {"RX9101"}),
    "64-in-a-layer": (lambda e: e.header(lambda v: v.update(exotic())), {"RX9101"}),
    "64-as-encoding": (
        lambda e: e.header(lambda v: v["pattern"].update(encoding="__class__")), {"RX3002"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_text_is_judged_by_its_code(name, edited, judge):
    change, codes = CASES[name]
    report = judge(edited("explicit", change), codes)
    if any(code.startswith("RX2") for code in codes):
        (finding,) = (f for f in report.findings if f.code in codes)
        assert finding.path == "/manifest"
        assert (finding.code not in ("RX2007", "RX2009")) or finding.pointer


def test_59_the_pointer_leads_to_the_member(edited, judge):
    report = judge(edited("explicit", CASES["59-layer-is-a-boolean"][0]), {"RX2007"})
    assert report.findings[0].pointer == "/graph/nodes/1/layer"


def test_61_a_newer_minor_version_is_valid(edited, judge):
    report = judge(edited("explicit", version("1.7")), {"RX0207"})
    assert report.ok
    assert report.format_version == "1.7"
    assert CODES["RX0207"].severity == "info"


def test_64_exotic_names_are_data_and_travel(edited, judge, tmp_path):
    def change(e):
        e.manifest(lambda v: v["metadata"].update(exotic()))

    path = edited("explicit", change)
    judge(path, {"RX8008"})
    with rx.open(path) as network:
        assert set(EXOTIC) <= set(network.metadata.other)
        rx.write(tmp_path / "again.rx.h5", network)
    judge(tmp_path / "again.rx.h5", set())
    assert rx.read(tmp_path / "again.rx.h5").metadata.other == exotic()
    assert not hasattr(object, "polluted")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (node(attributes={name: {"int": 1} for name in EXOTIC}), "RX6008"),
        (node(op="__init__"), "RX6002"),
    ],
)
def test_64_exotic_names_in_the_graph_are_never_looked_up(change, code, edited, judge):
    """Operators are validate's business, and that of whoever runs or exports them."""
    path = edited("explicit", change)
    judge(path, {code, "RX8005"}, opens=True)
    with rx.open(path) as network, pytest.raises(rx.RadixfmtError):
        rx.to_onnx(network)
