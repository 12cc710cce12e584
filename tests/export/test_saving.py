"""Models on disk: whole or not at all, with weights inside or beside."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.checker import check_model

import radixfmt as rx
from radixfmt.backends.scipy import reference
from radixfmt.errors import PathError, TargetExistsError
from radixfmt.export import save, to_onnx
from radixfmt.export.save import readable


@pytest.fixture(scope="module")
def network():
    return rx.generate("graph-challenge", neurons=1024, layers=2)


@pytest.fixture(scope="module")
def model(network):
    return to_onnx(network)


@pytest.fixture
def samples():
    return (np.random.default_rng(1).random((16, 1024)) < 0.2).astype(np.float32)


def weights_of(model):
    return {i.name: (list(i.dims), i.raw_data) for i in model.graph.initializer}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_replaces_only_when_told(model, tmp_path):
    path = tmp_path / "model.onnx"
    assert save(model, path) == path.stat().st_size
    with pytest.raises(TargetExistsError, match=r"model\.onnx") as caught:
        save(model, path)
    assert "--overwrite" in caught.value.hint
    save(model, path, overwrite=True)
    assert names(tmp_path) == ["model.onnx"]
    with pytest.raises(rx.RadixfmtError, match="folder does not exist"):
        save(model, tmp_path / "nowhere" / "model.onnx")


def test_weights_beside_the_model(model, network, samples, tmp_path):
    path, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    before = model.SerializeToString()
    size = save(model, path, external_data=True)
    assert size == path.stat().st_size + data.stat().st_size
    assert names(tmp_path) == ["model.onnx", "model.onnx.data"]
    assert path.stat().st_size < 10_000
    assert model.SerializeToString() == before
    check_model(path, full_check=True)
    assert weights_of(onnx.load(path)) == weights_of(model)  # onnx itself finds every one
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = reference(network, samples)
    np.testing.assert_allclose(session.run(None, {"x": samples})[0], wanted, atol=1e-4)
    with rx.Session(path, device="cpu", threads=1) as session:
        np.testing.assert_allclose(session.run(samples), wanted, atol=1e-4)


def test_weights_beside_every_lowering(network, samples, tmp_path):
    for name in ("dense", "gather", "blocked"):
        save(to_onnx(network, lowering=name), tmp_path / f"{name}.onnx", external_data=True)
        with rx.Session(tmp_path / f"{name}.onnx", device="cpu", threads=1) as session:
            np.testing.assert_allclose(session.run(samples), reference(network, samples), atol=1e-4)


def test_too_much_for_one_file_goes_beside_unasked(model, samples, monkeypatch, tmp_path):
    with readable(model) as content:
        assert isinstance(content, bytes)
    monkeypatch.setattr(sys.modules["radixfmt.export.save"], "LARGEST_MODEL", 100_000)
    save(model, tmp_path / "model.onnx")
    assert names(tmp_path) == ["model.onnx", "model.onnx.data"]
    with readable(model) as path:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": samples})[0].shape == (16, 1024)


def test_neither_file_is_lost_without_leave(model, tmp_path):
    path, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    data.write_text("mine")
    with pytest.raises(TargetExistsError, match=r"model\.onnx\.data"):
        save(model, path, external_data=True)
    assert (data.read_text(), names(tmp_path)) == ("mine", ["model.onnx.data"])
    save(model, path, external_data=True, overwrite=True)
    assert weights_of(onnx.load(path)) == weights_of(model)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_both_files_or_neither(model, monkeypatch, tmp_path, links, there):
    path, data = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    if there:
        path.write_text("old model")
        data.write_text("old data")

    def full(*_):
        raise OSError(28, "No space left on device")

    if not links:
        monkeypatch.setattr("os.link", full)
    monkeypatch.setattr("pathlib.Path.write_bytes", full)  # the model, after its weights
    with pytest.raises(PathError, match="No space left"):
        save(model, path, external_data=True, overwrite=True)
    monkeypatch.undo()
    assert names(tmp_path) == (["model.onnx", "model.onnx.data"] if there else [])
    if there:
        assert (path.read_text(), data.read_text()) == ("old model", "old data")


def test_same_model_same_files(model, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(model, tmp_path / name / "m.onnx", external_data=True)
    for name in ("m.onnx", "m.onnx.data"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_command_line(radixfmt, network, tmp_path):
    rx.write(tmp_path / "net.rx.h5", network)
    data = tmp_path / "m.onnx.data"
    data.write_text("mine")
    call = ("export", "net.rx.h5", "-o", "m.onnx", "--external-data")
    assert radixfmt(*call).code == 2
    assert names(tmp_path) == ["m.onnx.data", "net.rx.h5"]
    made = radixfmt(*call, "--overwrite", "--json").json
    assert made["external_data"] == str(data)
    assert made["bytes"] == data.stat().st_size + (tmp_path / "m.onnx").stat().st_size
    with rx.Session(tmp_path / "m.onnx", device="cpu") as session:
        assert session.run(np.zeros((2, 1024))).shape == (2, 1024)
