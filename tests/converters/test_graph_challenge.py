from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx
from radixfmt.converters.samples import write_samples
from radixfmt.errors import InputError, TargetExistsError, UnsupportedError
from radixfmt.model.dtypes import dtype_of


def test_written_layers_are_the_published_bytes(data, tmp_path):
    rx.write(tmp_path / "gc.rx.h5", rx.generate("graph-challenge", neurons=1024, layers=7))
    rx.convert(tmp_path / "gc.rx.h5", tmp_path / "gc", target_format="graph-challenge")
    for number in (1, 7):
        name = f"n1024-l{number}.tsv"
        assert (tmp_path / "gc" / name).read_bytes() == (
            data / "graph_challenge" / name
        ).read_bytes()


def test_a_folder_comes_back_with_the_same_content_digest(tmp_path):
    content = rx.write(tmp_path / "a.rx.h5", rx.generate("graph-challenge", neurons=1024, layers=8))
    rx.convert(tmp_path / "a.rx.h5", tmp_path / "folder", target_format="graph-challenge")
    back = rx.convert(tmp_path / "folder", tmp_path / "b.rx.h5")
    assert back.digests["content"] == content
    assert any("challenge's rules" in loss for loss in back.losses)


def test_trained_weights_survive_the_text(tmp_path):
    network = rx.generate("radix-net", systems=[[4, 4]], weights="normal")
    rx.write(tmp_path / "a.rx.h5", network)
    done = rx.convert(tmp_path / "a.rx.h5", tmp_path / "t", target_format="graph-challenge")
    assert "names and metadata" in done.losses
    rx.convert(tmp_path / "t", tmp_path / "b.rx.h5")
    for a, b in zip(network.layers, rx.read(tmp_path / "b.rx.h5").layers, strict=True):
        assert a.weights.tolist() == b.weights.tolist()


def folder(tmp_path, files):
    path = tmp_path / "folder"
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1\t1\t1\n0\t1\t1\n", "line 2: expected row"),
        (b"1\t1\t1\n\n2\t1\t1\n", "line 2"),
        (b"1\t1\n", "line 1"),
        (b"1\t1\tone\n", "line 1"),
        (b"1\t9\t1\n", "line 1: expected row .1 to 4., column .1 to 4."),
        (b"1\t1\t1\n1\t1\t1\n", "every edge once"),
        (b"\xff\xfe\n", "line 1"),
    ],
)
def test_bad_lines_are_named(content, message, tmp_path):
    path = folder(tmp_path, {"n4-l1.tsv": content})
    with pytest.raises(InputError, match=message):
        rx.convert(path, tmp_path / "out.rx.h5")
    assert not (tmp_path / "out.rx.h5").exists()


def test_windows_line_ends_and_scientific_numbers_are_read(tmp_path):
    path = folder(tmp_path, {"n4-l1.tsv": b"1\t2\t5e-1\r\n3\t2\t.25\r\n"})
    rx.convert(path, tmp_path / "out.rx.h5")
    layer = rx.read(tmp_path / "out.rx.h5").layers[0]
    assert layer.pattern.indices.tolist() == [0, 2]
    assert layer.weights.tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "got none"),
        ({"n4-l1.tsv": b"", "n4-l3.tsv": b""}, "n4-l2.tsv is missing"),
        ({"n4-l1.tsv": b"", "n8-l2.tsv": b""}, "of one size"),
    ],
)
def test_folders_that_are_no_network(files, message, tmp_path):
    with pytest.raises(InputError, match=message):
        rx.convert(folder(tmp_path, files), tmp_path / "out.rx.h5")


def test_a_folder_with_other_things_in_it_is_never_replaced(tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", rx.generate("radix-net", systems=[[2, 2]]))
    out = tmp_path / "out"

    def write(**options):
        rx.convert(tmp_path / "a.rx.h5", out, target_format="graph-challenge", **options)

    write()
    with pytest.raises(TargetExistsError):
        write()
    write(overwrite=True)
    (out / "thesis.tex").write_text("precious")
    with pytest.raises(TargetExistsError, match="thesis.tex"):
        write(overwrite=True)
    assert (out / "thesis.tex").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.rx.h5", "out"]


def test_layers_of_several_sizes_are_refused(tmp_path, small):
    rx.write(tmp_path / "a.rx.h5", small)
    with pytest.raises(UnsupportedError, match="of one size"):
        rx.convert(tmp_path / "a.rx.h5", tmp_path / "t", target_format="graph-challenge")


def test_empty_layers_are_legal(tmp_path):
    path = folder(tmp_path, {"n4-l1.tsv": b""})
    rx.convert(path, tmp_path / "out.rx.h5")
    assert rx.read(tmp_path / "out.rx.h5").layers[0].pattern.nnz == 0
    assert np.array_equal(rx.read(tmp_path / "out.rx.h5").layers[0].pattern.indptr, np.zeros(5))


def test_a_link_to_a_folder_means_that_folder(tmp_path):
    rx.write(tmp_path / "a.rx.h5", rx.generate("radix-net", systems=[[2, 2]]))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for overwrite in (False, True):
        rx.convert(
            tmp_path / "a.rx.h5", tmp_path / "link", target_format="graph-challenge",
            overwrite=overwrite,
        )  # fmt: skip
    assert (tmp_path / "link").is_symlink()
    assert len(list((tmp_path / "real").iterdir())) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.rx.h5", "link", "real"]


def written(weights, tmp_path):
    """Write one layer of these weights as text; return its values as words and what was lost."""
    size = len(weights)
    layer = rx.Layer("a", rx.Pattern.explicit((size, size), range(size + 1), range(size)), weights)
    rx.write(tmp_path / "a.rx.h5", rx.chain([layer]), overwrite=True)
    out = tmp_path / "out"
    done = rx.convert(
        tmp_path / "a.rx.h5", out, target_format="graph-challenge", overwrite=True
    )  # fmt: skip
    words = (out / f"n{size}-l1.tsv").read_text().split()[2::3]
    return words, done.losses


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("float32", np.nan),
        ("float32", -np.inf),
        ("float64", 1e300),
        ("float16", np.inf),
        ("bfloat16", np.nan),
    ],
)
def test_what_the_reader_would_refuse_is_not_written(kind, number, tmp_path):
    with pytest.raises(UnsupportedError, match="a: row 1, column 1: expected a finite float32"):
        written(np.array([1, number, 2], dtype_of(kind)), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.rx.h5"]
    with pytest.raises(UnsupportedError, match="samples: row 0, column 1: expected a finite"):
        write_samples(tmp_path / "x.tsv", np.array([[1, number]], dtype_of(kind)))


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "bfloat16", "int64", "uint8"])
@given(data=st.data())
def test_text_holds_every_value_exactly(kind, tmp_path_factory, data):
    """The words are read as Python does, which no code of ours takes part in."""
    folder = tmp_path_factory.mktemp("x")
    dtype = dtype_of(kind)
    if kind in ("int64", "uint8"):
        number = st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max)
    else:
        number = st.floats(-3e38, 3e38) | st.sampled_from([-0.0, 0.0, 1e15, 2.0**60 + 2**10])
    with np.errstate(over="ignore"):
        weights = np.array(data.draw(st.lists(number, min_size=1, max_size=70)), dtype)
    weights[~np.isfinite(weights.astype(np.float32))] = 1  # what the type does not hold
    words, losses = written(weights, folder)
    wide = weights.astype(np.float64) if kind not in ("int64", "uint8") else weights
    read = [type(value)(word) for word, value in zip(words, wide.tolist(), strict=True)]
    if kind in ("float32", "float16", "bfloat16"):  # as many digits as tell neighbours apart
        read = np.array(read).astype(np.float32).tolist()
    assert list(map(str, read)) == list(map(str, wide.tolist()))  # of -0 too
    assert any("read back as float32" in loss for loss in losses) == (
        kind in ("float64", "int64", "uint8")
    )
