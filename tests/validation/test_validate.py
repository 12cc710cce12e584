"""What may be asked of `validate`, and how it answers."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.codes import CODES
from radixfmt.errors import ParameterError
from radixfmt.model.digest import digests
from radixfmt.validation import Skipped
from radixfmt.validation.checks import View, check

FINDING_KEYS = {
    "code", "severity", "path", "pointer", "index", "count", "expected", "actual", "message",
    "hint",
}  # fmt: skip


@pytest.fixture
def bad(good, tmp_path):
    path = tmp_path / "bad.rx.h5"
    shutil.copy(good, path)
    with h5py.File(path, "r+") as file:
        file["/layers/000000/bias"][...] = 77  # every other check passes
    return path


def test_the_json_of_a_report_is_a_contract_and_makes_the_report_again(bad):
    report = rx.validate(bad)
    record = report.as_json()
    assert set(record) == {"path", "valid", "format_version", "findings", "skipped"}
    assert {key for finding in record["findings"] for key in finding} == FINDING_KEYS
    assert rx.Report.from_json(record) == report
    assert not report.ok


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.clear(),
        lambda r: r.update(valid=1),
        lambda r: r.update(findings={}),
        lambda r: r.update(skipped=["x"]),
        lambda r: r["findings"][0].update(code="RX0000"),
        lambda r: r["findings"][0].update(index="1"),
        lambda r: r["findings"][0].update(message=None),
    ],
)
def test_what_is_no_report_is_refused(bad, change):
    record = rx.validate(bad).as_json()
    change(record)
    with pytest.raises(ParameterError, match="expected"):
        rx.Report.from_json(record)


def test_no_selection_of_codes_makes_a_file_valid(bad, radixfmt):
    """Not even where the only error is in a check on which no other rests."""
    (code,) = {f.code for f in rx.validate(bad, select=["RX8003"]).findings}
    assert code == "RX8003"
    assert not rx.validate(bad, select=["RX5"]).ok
    assert not rx.validate(bad, ignore=["RX8"]).ok
    answer = radixfmt("validate", bad, "--ignore", "RX8")
    assert (answer.code, "--ignore leave out why" in answer.out) == (1, True)
    with pytest.raises(ParameterError, match="'RX8O03'") as caught:
        rx.validate(bad, ignore="RX8O03")
    assert caught.value.hint == "Did you mean 'RX8003'?"


def test_only_a_check_that_failed_makes_skipping_a_fault(good, monkeypatch):
    def modest(view):
        view.skipped.append(Skipped("modest", "nobody asked"))
        yield from ()

    monkeypatch.setitem(check._entries, "modest", modest)
    monkeypatch.setitem(check._facts, "modest", {"needs": ("container",)})
    report = rx.validate(good)
    assert (report.ok, report.skipped) == (True, (Skipped("modest", "nobody asked"),))


@pytest.mark.parametrize("isolated", [False, True])
def test_the_network_that_was_cited(good, small, isolated):
    known = digests(small)
    cited = (known.topology, known.content)
    assert rx.validate(good, expect=cited, isolated=isolated).ok
    report = rx.validate(good, expect=(*cited, known.metadata), isolated=isolated)
    (finding,) = (f for f in report.findings if f.code == "RX8009")
    assert (report.ok, finding.expected) == (False, known.metadata)
    assert known.content in finding.actual


def test_a_declared_digest_proves_nothing(bad, small):
    """The file still says the cited digest; its content is another."""
    report = rx.validate(bad, expect=[digests(small).content])
    assert not report.ok
    assert Skipped("expect", "it rests on 'digests', which found errors") in report.skipped


def test_digests_that_rest_on_what_was_not_expanded_prove_nothing_either(small):
    known = digests(small)
    view = View("net.rx.h5", expect=(known.content,), digests=known)
    assert list(check["expect"](view)) == []
    view.skipped.append(Skipped("expansion", "too large even so"))
    assert [finding.code for finding in check["expect"](view)] == ["RX8009"]


@pytest.mark.parametrize("digest", ["rx1:12", "rx1:" + "A" * 64, "md5:" + "0" * 64, ""])
def test_a_malformed_digest_is_not_compared(good, digest, radixfmt):
    with pytest.raises(ParameterError, match="64 lower-case hex digits") as caught:
        rx.validate(good, expect=digest)
    assert "radixfmt info" in caught.value.hint
    assert radixfmt("validate", good, "--expect", digest).code == 2


def test_expecting_means_expanding(tmp_path, small):
    path = tmp_path / "net.rx.h5"
    rx.write(path, small)
    limits = rx.Limits(expand=0)
    assert any(s.check == "expansion" for s in rx.validate(path, limits=limits).skipped)
    for asked in ({"expand": True}, {"expect": [digests(small).topology]}):
        report = rx.validate(path, limits=limits, **asked)
        assert (report.ok, report.skipped) == (True, ())


def test_memory_that_runs_out_here_too_is_a_finding(good, monkeypatch):
    def greedy(view):
        yield np.empty(1 << 50)

    monkeypatch.setitem(check._entries, "graph", greedy)
    report = rx.validate(good)
    assert "RX0199" in {finding.code for finding in report.findings}
    assert not report.ok


def test_every_code_is_explained(radixfmt):
    for code, known in CODES.items():
        answer = radixfmt("validate", "--explain", code.lower(), "--json")
        assert answer.json == {"code": code, **known._asdict()}
        text = radixfmt("validate", "--explain", code).out
        assert known.requirement in text
        assert known.remedy in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "Missing argument 'FILE...'"),
        ("--explain RX404", "Did you mean 'RX4004'"),
        ("--explain RX4004 net.rx.h5", "--explain takes no files"),
        ("net.rx.h5 --limits wall", "expected NAME=N with a name out of"),
        ("net.rx.h5 --limits walls=1", "expected NAME=N with a name out of"),
        ("net.rx.h5 --limits wall=soon", "expected a whole number"),
        ("net.rx.h5 --select RY", "expected the beginning of a code"),
    ],
)
def test_what_cannot_be_asked(words, said, good, radixfmt, tmp_path):
    shutil.copy(good, tmp_path / "net.rx.h5")
    answer = radixfmt("validate", *words.split())
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "Hint: " in answer.err


def test_limits_reach_the_file(good, radixfmt):
    answer = radixfmt("validate", good, "--limits", "file=100", "--limits", "wall=2**6")
    assert answer.code == 1
    assert "RX0106" in answer.out


def test_a_missing_file_comes_last_and_order_is_kept(good, bad, radixfmt):
    answer = radixfmt("validate", bad, "missing.rx.h5", good, "--json")
    assert [f["path"] for f in answer.json["files"]] == [str(bad), str(good)]
    assert [f["valid"] for f in answer.json["files"]] == [False, True]
    assert answer.code == 2
    assert "missing.rx.h5: No such file" in answer.err
