"""Tools that know nothing of radixfmt read its files in place: binsparse, and HDF5's own h5dump."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from binsparse import BinsparseTensor, HDF5BinsparseContainer
from binsparse.conversions.scipy import to_scipy

import radixfmt as rx
from radixfmt.model.dtypes import VALUE_TYPES, dtype_of

VECTORS = sorted((Path(__file__).parents[2] / "spec" / "vectors" / "valid").glob("*.rx.h5"))
WIDTHS = {"uint16": 2**16, "uint32": 2**16 + 1, "uint64": 2**32 + 1}


def layers():
    """Yield a layer of every encoding and type that files hold."""
    wide = [rx.Pattern.explicit((size, 2), [0, 1, 2], [size - 1, 0]) for size in WIDTHS.values()]
    for name, pattern in zip(WIDTHS, wide, strict=True):
        yield rx.Layer(f"indices {name}", pattern, np.arange(2, dtype=np.float32))
    pattern = rx.Pattern.explicit((4, 3), [0, 2, 2, 5], [1, 3, 0, 1, 2])
    for dtype in VALUE_TYPES:
        weights = np.arange(5).astype(dtype_of(dtype))
        yield rx.Layer(f"array {dtype}", pattern, weights)
        yield rx.Layer(f"iso {dtype}", pattern, weights[3:4])
    yield rx.Layer("topology only", pattern)
    zero_point = np.array([1, 2, 3], np.int8)
    codes = rx.Quantized(np.arange(-2, 3, dtype=np.int8), np.ones(3, np.float32), zero_point)
    yield rx.Layer("quantized", pattern, codes)
    empty = rx.Pattern.explicit((4, 3), [0, 0, 0, 0], np.zeros(0, np.int64))
    yield rx.Layer("no edges", empty, np.zeros(0, np.float32))
    yield rx.Layer("no edges, no weights", empty)
    yield rx.Layer(
        "many edges", rx.generate("radix-net", systems=[[64, 32]]).layers[0].pattern, 0.5
    )
    yield rx.Layer("bias", pattern, 1.0, np.ones(3, dtype_of("bfloat16")))


@pytest.fixture(params=list(layers()), ids=lambda layer: layer.name)
def written(request, tmp_path):
    """A file of one layer."""
    path = tmp_path / "a.rx.h5"
    rx.write(path, rx.chain([request.param]), storage="explicit", small=True)
    return path


def compare(path):
    """Compare what binsparse and we read of each layer of a file."""
    with h5py.File(path) as file, rx.open(path) as network:
        for i, layer in enumerate(network.layers):
            container = HDF5BinsparseContainer(file[f"layers/{i:06d}"])
            values = layer.stored
            half = values is not None and values.dtype.name in ("float16", "bfloat16")
            if layer.pattern.record or half:
                with pytest.raises(KeyError, match="no 'binsparse' attribute"):
                    BinsparseTensor.parse(container)
                continue
            tensor = BinsparseTensor.parse(container)
            assert tensor.shape == layer.pattern.shape
            if tensor.format == "CSC":
                assert np.array_equal(tensor.pointers_to_1, layer.pattern.indptr)
                assert np.array_equal(tensor.indices_1, layer.pattern.indices)
            found = to_scipy(tensor).tocsc()
            found.sort_indices()
            assert np.array_equal(found.indices, layer.pattern.indices)
            assert found.dtype == (np.bool_ if values is None else values.dtype)
            ours = np.ones(1, np.bool_) if values is None else np.asarray(values[:])
            assert found.data.tobytes() == np.broadcast_to(ours, found.data.shape).tobytes()


def test_binsparse_reads_every_layer_in_place(written):
    compare(written)


@pytest.mark.parametrize("name", WIDTHS)
def test_each_width_of_indices_is_stored(name, tmp_path):
    layer = next(layer for layer in layers() if layer.name == f"indices {name}")
    rx.write(tmp_path / "a.rx.h5", rx.chain([layer]))
    with h5py.File(tmp_path / "a.rx.h5") as file:
        assert file["layers/000000/indices_1"].dtype == name


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_binsparse_reads_the_vectors(path):
    compare(path)


@pytest.fixture(scope="module")
def h5dump():
    """The program, of whatever HDF5 version."""
    return shutil.which("h5dump") or pytest.skip("h5dump is absent (Debian: hdf5-tools)")


def dump(h5dump, path):
    done = subprocess.run([h5dump, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "unable to" not in done.stdout + done.stderr
    return done.stdout


def test_h5dump_prints_every_layer(h5dump, written):
    assert "indices_1" in dump(h5dump, written)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.name)
def test_h5dump_prints_the_vectors(h5dump, path):
    assert "manifest" in dump(h5dump, path)


@pytest.mark.parametrize("compat", [None, "1.8"])
def test_h5dump_prints_records_and_containers(h5dump, compat, tmp_path):
    network = rx.generate("graph-challenge", neurons=1024, layers=2)
    rx.write(tmp_path / "a.rx.h5", network, compat=compat)
    assert "procedural" in dump(h5dump, tmp_path / "a.rx.h5")
    rx.convert(tmp_path / "a.rx.h5", tmp_path / "a.bsp.h5", layer=1)
    assert "BINSPARSE" in dump(h5dump, tmp_path / "a.bsp.h5").upper()
