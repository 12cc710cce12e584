"""Wrong invocations and files: the right exit code, a message with a place, no traceback."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

import radixfmt as rx
from radixfmt.backends.device import cuda_problem


@pytest.fixture
def folder(tmp_path, small):
    """A good file, `net.rx.h5` (6 → 6), and many bad ones."""
    rx.write(tmp_path / "net.rx.h5", small)
    rx.write(tmp_path / "bare.rx.h5", rx.generate("radix-net", systems=[[2, 2]]))
    whole = (tmp_path / "net.rx.h5").read_bytes()
    (tmp_path / "cut.rx.h5").write_bytes(whole[:-100])
    (tmp_path / "text.rx.h5").write_text("this is text\n")
    (tmp_path / "empty.rx.h5").write_bytes(b"")
    (tmp_path / "taken.rx.h5").write_text("precious")
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "x.npy", np.ones((3, 6), np.float32))
    np.save(tmp_path / "nan.npy", np.full((3, 6), np.nan, np.float32))
    np.save(tmp_path / "wide.npy", np.ones((3, 7), np.float32))
    (tmp_path / "bad.npy").write_text("no array")
    (tmp_path / "bad.tsv").write_text("1\t1\t1\n1\tx\t1\n")
    (tmp_path / "bad.onnx").write_text("no model")
    (tmp_path / "bad.json").write_text("{")
    return tmp_path


RADIX = "generate radix-net "
RUN = "run net.rx.h5 --output y.npy --input "

CASES = [
    # words, exit code, what the message says
    ("", 2, "Usage: radixfmt"),
    ("generat", 2, "unknown .* 'generat'.*Did you mean 'generate'"),
    ("--wrong", 2, "No such option.*--wrong"),
    ("generate", 2, "topology family"),
    ("generate radixnet -o a.rx.h5", 2, "unknown .* 'radixnet'.*Did you mean 'radix-net'"),
    (RADIX + "--system 2,3", 2, "Missing option.*--output"),
    (RADIX + "-o a.rx.h5", 2, "missing systems or fit"),
    (RADIX + "--system 2,x -o a.rx.h5", 2, "expected integers with commas.*'2,x'"),
    (RADIX + "--system 2,3 --system 4 -o a.rx.h5", 2, "last system's product divides.*n = 6.*4"),
    (RADIX + "--system 2,3 --system 2,2 --system 6 -o a.rx.h5", 2, "system 2 .*n = 6; got 4"),
    (RADIX + "--system 2,1 -o a.rx.h5", 2, "at least 2, got 1"),
    (RADIX + "--system 2,3 --widths 1,1 -o a.rx.h5", 2, "there are radices, 3, got 2.*Hint"),
    (RADIX + "--system 2,3 --widths 1,-1,1 -o a.rx.h5", 2, "width 1: expected .*got -1"),
    (RADIX + "--system 2,3 --direction 2 -o a.rx.h5", 2, "direction: expected -1 or 1, got 2"),
    (RADIX + "--system 2,3 --weights hee -o a.rx.h5", 2, "weights: expected.*Did you mean 'he'"),
    (RADIX + "--system 2,3 --activation relo -o a.rx.h5", 2, "Did you mean 'Relu'"),
    (RADIX + "--system 2,3 --sistem 3 -o a.rx.h5", 2, "No such option.*--sistem"),
    (RADIX + "--system 2,3 -o taken.rx.h5", 2, "taken.rx.h5: exists already.*--overwrite"),
    (RADIX + "--system 2,3 -o no/where.rx.h5", 2, "folder does not exist.*mkdir"),
    (RADIX + "--system 2,3 -o folder", 2, "folder: expected a file to write, got a folder"),
    ("generate graph-challenge --neurons 1000 --layers 2 -o a.rx.h5", 2, "one of 1024.*got 1000"),
    ("generate graph-challenge --neurons 1024 --layers 0 -o a.rx.h5", 2, "1 to 65536, got 0"),
    ("info missing.rx.h5", 2, "missing.rx.h5: No such file.*Hint"),
    ("info folder", 2, "folder: expected a radixfmt file, got a folder"),
    ("info text.rx.h5", 2, "text.rx.h5:/: RX0101 not an HDF5 file"),
    ("validate", 2, "Missing argument"),
    ("validate missing.rx.h5", 2, "missing.rx.h5: No such file"),
    ("validate folder", 2, "folder: expected a radixfmt file, got a folder"),
    ("validate text.rx.h5", 1, "RX0101 not an HDF5 file; expected a radixfmt file"),
    ("validate empty.rx.h5", 1, "RX0101 an empty file"),
    ("validate cut.rx.h5", 1, "RX0102 truncated; expected [0-9]+ bytes, got [0-9]+.*Hint"),
    ("validate net.rx.h5 cut.rx.h5", 1, "net.rx.h5: valid.*cut.rx.h5: not valid"),
    ("convert net.rx.h5 a.mtx", 2, "one linear layer, got 4 layers.*--layer"),
    ("convert net.rx.h5 a.mtx --layer 9", 2, "layer: expected 0 to 3, got 9"),
    ("convert net.rx.h5 a.xyz", 2, "a.xyz: cannot tell its format.*--to"),
    (
        "convert net.rx.h5 a --to graph-chalenge",
        2,
        "unknown format.*Did you mean 'graph-challenge'",
    ),
    ("convert missing.mtx a.rx.h5", 2, "missing.mtx: no such file"),
    ("convert folder a.rx.h5", 2, "folder: expected files named n<N>-l<k>.tsv, got none"),
    ("convert cut.rx.h5 a.mtx", 2, "cut.rx.h5:/: RX0102 truncated"),
    ("convert net.rx.h5 a.mtx --layer 0 --storage explicit", 2, "unknown option 'storage'"),
    ("convert net.rx.h5 a.rx.h5 --limits file=9", 2, "RX0106 .*at most 9 bytes.*--limits file="),
    ("convert net.rx.h5 a.rx.h5 --limits files=9", 2, "limit 'files=9': expected NAME=N"),
    ("convert bad.onnx a.rx.h5 --limits file=9", 2, "unknown option 'limits'.*to read onnx"),
    ("convert net.rx.h5 taken.rx.h5", 2, "taken.rx.h5: exists already"),
    ("export net.rx.h5", 2, "Missing option.*--output"),
    ("export bare.rx.h5 -o a.onnx", 2, "no weights.*Hint.*--weights"),
    ("export net.rx.h5 -o a.onnx --lowering dens", 2, "unknown lowering.*Did you mean 'dense'"),
    ("export net.rx.h5 -o taken.rx.h5", 2, "exists already"),
    ("export net.rx.h5 -o a.onnx --batch 0", 2, "--batch"),
    (RUN + "missing.npy", 2, "missing.npy: no such file"),
    (RUN + "nan.npy", 2, "nan.npy: row 0, column 0: expected a finite .*, got nan .18 such"),
    (RUN + "wide.npy", 2, "wide.npy: expected rows of 6 values, got shape .3, 7."),
    (RUN + "bad.npy", 2, "bad.npy: expected a .npy array"),
    (RUN + "bad.tsv", 2, "bad.tsv: line 2: expected row"),
    (RUN + "net.rx.h5", 2, "expected a name that ends in .npy"),
    (RUN + "x.npy --threads 0", 2, "--threads"),
    (RUN + "x.npy --device tpu", 2, "'tpu' is not one of"),
    ("run net.rx.h5 --input x.npy", 2, "expected --output or --categories"),
    ("run net.rx.h5 --input x.npy --output y.csv", 2, "y.csv: expected a name that ends in .npy"),
    ("run net.rx.h5 --input x.npy --output taken.rx.h5", 2, "exists already"),
    ("run bare.rx.h5 --input x.npy --output y.npy", 2, "no weights.*Hint.*--weights"),
    ("run bad.onnx --input x.npy --output y.npy", 2, "bad.onnx"),
    ("run missing.onnx --input x.npy --output y.npy", 2, "missing.onnx"),
    ("bench net.rx.h5 --engine ort-atuo", 2, "unknown engine.*Did you mean 'ort-auto'"),
    ("bench net.rx.h5 --baseline bad.json", 2, "bad.json: expected what `bench --json`"),
    ("bench bare.rx.h5 --batch 2 --engine scipy", 2, "no weights"),
    ("bench missing.rx.h5", 2, "missing.rx.h5: No such file"),
]


@pytest.mark.parametrize(("words", "code", "message"), CASES, ids=[c[0] or "none" for c in CASES])
def test_bad_input(words, code, message, radixfmt, folder):
    import re

    before = {p.name: p.stat().st_size for p in folder.iterdir()}
    answer = radixfmt(*words.split())
    said = answer.out + answer.err
    assert answer.code == code, said
    assert re.search(message, said, re.DOTALL), said
    assert "Traceback" not in said
    assert not words or "Hint: " in said, said
    assert {p.name: p.stat().st_size for p in folder.iterdir()} == before  # nothing half written


@pytest.mark.skipif(cuda_problem() is None, reason="this machine has a GPU")
def test_an_absent_gpu_is_never_replaced_in_silence(radixfmt, folder):
    answer = radixfmt(*(RUN + "x.npy --device cuda").split())
    assert answer.code == 2
    assert "cuda" in answer.err
    assert "Hint" in answer.err
    assert not (folder / "y.npy").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_what_the_system_refuses(radixfmt, folder):
    (folder / "net.rx.h5").chmod(0)
    assert "Permission denied" in radixfmt("info", "net.rx.h5").err
    folder.chmod(0o500)
    answer = radixfmt("generate", "radix-net", "--system", "2,2", "-o", "a.rx.h5")
    folder.chmod(0o700)
    assert (answer.code, "not writable" in answer.err) == (2, True)


def test_errors_are_json_when_asked(radixfmt, folder):
    answer = radixfmt("info", "missing.rx.h5", "--json")
    assert answer.out == ""
    assert json.loads(answer.err) == {
        "error": "missing.rx.h5: No such file or directory",
        "hint": "check the spelling",
        "code": "path",
    }
    usage = json.loads(radixfmt("generat", "--json").err)
    assert (usage["code"], usage["hint"]) == ("usage", "Did you mean 'generate'?")


def test_one_missing_file_does_not_hide_the_answer_about_another(radixfmt, folder):
    answer = radixfmt("validate", "missing.rx.h5", "net.rx.h5", "--json")
    assert answer.code == 2
    assert answer.json["files"][0]["valid"] is True


def test_a_defect_is_one_line_unless_debug(radixfmt, folder, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("radixfmt.validation.Isolated.validate", broken)
    answer = radixfmt("validate", "net.rx.h5")
    assert (answer.code, "Traceback" in answer.err) == (2, False)
    assert "unexpected ZeroDivisionError: oops" in answer.err
    assert "Traceback" in radixfmt("validate", "net.rx.h5", "--debug").err


def test_an_interrupt_is_130(radixfmt, folder, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("radixfmt.validation.Isolated.validate", stop)
    assert radixfmt("validate", "net.rx.h5").code == 130
