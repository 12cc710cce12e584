"""ONNX files that are none, reach outside or take too much: each is refused, and it is said why."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from lying_models import GOOD, entries, model, node, refused, tensor
from onnx import TensorProto, numpy_helper

import radixfmt as rx
from radixfmt.errors import InputError, PathError, UnsupportedError


class Planted:
    def __reduce__(self):
        return open, ("planted", "w")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it has no graph"),
        (
            pickle.dumps(Planted(), protocol=2),
            "expected an ONNX model, .*looks like a Python pickle",
        ),
        (b"PK\x03\x04" + bytes(100), "looks like a zip archive"),
        (b"\x08\x0a\x12\x00", "it has no graph"),
        (b"version https://git-lfs.github.com/spec/v1\n", "expected an ONNX model, it cannot"),
        (model().SerializeToString()[:-9], "expected an ONNX model, it cannot be parsed"),
        (b"\x08\x0a\x3a" + b"\x0b" * 10**5, "expected an ONNX model"),
        (
            model().SerializeToString().replace(b"product", b"pro\xffuct"),
            "a name in UTF-8, got b'pro",
        ),
    ],
)
def test_files_that_are_no_model(data, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(data, InputError, message, tmp_path)


def test_paths_that_are_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    for name in ("pipe.onnx", "absent.onnx", "."):
        with pytest.raises(PathError, match="no such regular file"):
            rx.from_onnx(tmp_path / name)


def test_the_size_of_a_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.converters.onnx_file.LARGEST_FILE", 10)
    refused(model(), InputError, "more than 10 bytes", tmp_path)


def stored(folder, **keys):
    """Write a model whose weight of 2 by 2 lies where `keys` say, beside a file of 16 bytes."""
    weight = tensor()
    weight.data_location = TensorProto.EXTERNAL
    for key, text in keys.items():
        weight.external_data.add(key=key, value=text)
    (folder / "m.onnx").write_bytes(model(weights=[weight]).SerializeToString())
    (folder / "m.data").write_bytes(bytes(12) + b"\0\0\x80\x3f")
    return folder / "m.onnx"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"location": "../secret"}, "in the model's folder, got '../secret'"),
        ({"location": "sub/../../secret"}, "in the model's folder"),
        ({"location": "/etc/passwd"}, "in the model's folder, got '/etc/passwd'"),
        ({"location": "C:\\secret"}, "in the model's folder"),
        ({"location": ""}, "in the model's folder, got ''"),
        ({"location": "m.data\0x"}, "in the model's folder"),
        ({"location": "link"}, "'link' is reached through a symbolic link"),
        ({"location": "linked/secret"}, "reached through a symbolic link"),
        ({"location": "hard"}, "'hard' is a hard link"),
        ({"location": "pipe"}, "is no regular file"),
        ({"location": "sub"}, "is no regular file|Is a directory"),
        ({"location": "absent"}, "'absent': No such file"),
        ({"location": "m.data", "offset": "1"}, "expected 16 bytes from 1, got a file of 16"),
        ({"location": "m.data", "offset": "-4"}, "expected offset as a number"),
        ({"location": "m.data", "offset": "9" * 5000}, "expected offset as a number"),
        ({"location": "m.data", "offset": str(2**63 - 1)}, "got a file of 16"),
        ({"location": "m.data", "length": str(2**62)}, "expected 16 bytes of external data, got"),
        ({"location": "m.data", "__class__": "x"}, "got '__class__'"),
    ],
)
def test_122_external_data_stays_in_the_folder(keys, message, tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(16))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "hard").hardlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    path = stored(folder, **keys)
    with pytest.raises(InputError, match=message):
        rx.from_onnx(path, external_data=True)
    with pytest.raises(UnsupportedError, match="not read unless asked for"):
        rx.from_onnx(path)


def test_external_data_is_bounded_in_all(tmp_path, monkeypatch):
    path = stored(tmp_path, location="m.data", offset="0", length="16")
    assert rx.from_onnx(path, external_data=True).layers[0].pattern.nnz == 1
    monkeypatch.setattr("radixfmt.converters.onnx_external.LARGEST_TOTAL", 15)
    with pytest.raises(UnsupportedError, match="more than 15 bytes of external data"):
        rx.from_onnx(path, external_data=True)


def test_sparse_tensors_that_must_be_dense_are_bounded_in_all(tmp_path, monkeypatch):
    monkeypatch.setattr("radixfmt.converters.onnx_layers.LARGEST_DENSE", 31)
    weights = [entries([2, 2], [1, 2]), entries([2, 2], [1, 2])]
    weights[1].values.name = "v"
    given = model(node("Add", "x,w", "h"), node("Add", "h,v"), weights=(),
                  sparse_initializer=weights)  # fmt: skip
    refused(given, UnsupportedError, "made dense, such tensors would take more than 31", tmp_path)


def test_any_byte_may_be_wrong(tmp_path):
    """Whatever a flipped byte means, the answer is a network or one of our errors."""
    whole = model(
        node("Gemm", "x,w,b", "h", transB=1), node("Relu", "h"),
        weights=[GOOD, numpy_helper.from_array(np.ones(2, np.float32), "b")],
    ).SerializeToString()  # fmt: skip
    random = np.random.default_rng(1)
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] = random.integers(256)
        (tmp_path / "m.onnx").write_bytes(broken)
        try:
            rx.from_onnx(tmp_path / "m.onnx")
        except rx.RadixfmtError as error:
            assert "m.onnx" in str(error)  # noqa: PT017
