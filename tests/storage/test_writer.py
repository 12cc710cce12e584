"""What a writer refuses, so that a reader never has to: nothing is published that is not valid."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import scipy.sparse as sp

import radixfmt as rx

EYE = rx.Pattern.from_scipy(sp.eye_array(4, format="csc"))


def one(metadata=None, ext=None, **layer):
    network = rx.chain([rx.Layer("w", EYE, **layer)], metadata=metadata)
    return rx.Network(
        network.layers, network.graph, network.inputs, network.outputs,
        metadata=network.metadata, ext=ext or {},
    )  # fmt: skip


def nested(depth):
    return {"a": nested(depth - 1)} if depth else 1


REFUSED = {
    "deep metadata": one(rx.Metadata(training=nested(40))),
    "author without a name": one(rx.Metadata(authors=({"orcid": "0000-0002-1825-0097"},))),
    "citation that is a text": one(rx.Metadata(citation=("x",))),
    "time that is a number": one(rx.Metadata(created=3)),
    "member that says nothing": one(rx.Metadata(other={"q": ""})),
    "key that is a number": one(rx.Metadata(training={1: 2})),
    "half a character": one(rx.Metadata(description="\ud800")),
    "negative zero": one(rx.Metadata(training={"loss": -0.0})),
    "text that is not NFC": one(rx.Metadata(description="e\u0301")),
    "ext text that ends in NUL": one(ext={"org.a/x": "text\0"}),
    "ext name in capitals": one(ext={"Org/a": "text"}),
    "ext too deep": one(ext={"a/" * 8 + "b": "text"}),
    "ext that is a value and a group": one(ext={"a": "text", "a/b": "text"}),
    "ext of complex numbers": one(ext={"a": np.ones(2, complex)}),
    "complex weights": one(weights=np.ones(4, complex)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_reader_would_take_is_refused_and_leaves_no_file(case, tmp_path):
    with pytest.raises(rx.RadixfmtError) as error:
        rx.write(tmp_path / "net.rx.h5", REFUSED[case])
    assert str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_newline_before_a_combining_character_is_normal_form_c(tmp_path):
    network = one(rx.Metadata(description="a\n\u0303b"))
    rx.write(tmp_path / "net.rx.h5", network)
    assert rx.validate(tmp_path / "net.rx.h5").ok
    assert rx.read(tmp_path / "net.rx.h5").metadata.description == "a\n\u0303b"


def test_a_failed_layer_spoils_the_file_even_if_the_error_is_caught(tmp_path):
    def write_and_go_on():
        with rx.Writer(tmp_path / "net.rx.h5") as writer:
            writer.append(rx.Layer("w", EYE))
            with suppress(rx.RadixfmtError):
                writer.append(rx.Layer("w", EYE, np.ones(4, complex)))

    with pytest.raises(rx.RadixfmtError, match="layer 1 could not be written"):
        write_and_go_on()
    assert list(tmp_path.iterdir()) == []


def test_a_graph_of_other_layers_is_refused(tmp_path):
    other = rx.chain([rx.Layer("w", rx.Pattern.from_scipy(sp.eye_array(3, format="csc")))])

    def seal():
        with rx.Writer(tmp_path / "net.rx.h5") as writer:
            writer.append(rx.Layer("w", EYE))
            writer.seal(other)

    with pytest.raises(rx.RadixfmtError, match="graph of the 1 layers"):
        seal()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_is_not_open_says_how_to_open_it(tmp_path):
    with pytest.raises(rx.RadixfmtError) as error:
        rx.Writer(tmp_path / "net.rx.h5").append(rx.Layer("w", EYE))
    assert "with" in error.value.hint


@pytest.mark.parametrize(
    "weights",
    [
        np.ones(4, complex), np.array([0.1] * 4), np.array([1e300] * 4), ["a"] * 4,
        np.array([2**53 + 1] * 4),
    ],
    ids=["complex", "0.1", "1e300", "text", "2^53+1"],
)  # fmt: skip
def test_streamed_weights_are_never_rounded_silently(weights, tmp_path):
    with (
        pytest.raises(rx.RadixfmtError, match="not all exact in float32"),
        rx.Writer(tmp_path / "net.rx.h5") as writer,
        writer.columns("w", (4, 4), dtype=np.float32) as columns,
    ):
        columns.append([1] * 4, [0, 1, 2, 3], weights)
    assert list(tmp_path.iterdir()) == []


def test_streamed_weights_of_another_type_that_are_exact(tmp_path):
    values = [0.5, -2.0, np.nan, 7]
    with (
        rx.Writer(tmp_path / "net.rx.h5") as writer,
        writer.columns("w", (4, 4), dtype=np.float32) as columns,
    ):
        columns.append([1] * 4, [0, 1, 2, 3], values)
    found = rx.read(tmp_path / "net.rx.h5").layers[0].weights
    np.testing.assert_array_equal(found, np.array(values, np.float32))


def test_damaged_weights_are_neither_exported_nor_run(tmp_path):
    import h5py

    path = tmp_path / "net.rx.h5"
    rx.write(path, rx.chain([rx.Layer("w", EYE, np.arange(4, dtype=np.float32))]))
    with h5py.File(path, "r+") as file:
        file["layers/000000/values"][0] = 42
    for use in (lambda: rx.Session(path), lambda: rx.open(path, verify=True).layers[0]):
        with pytest.raises(rx.RadixfmtError, match="RX8002|not what the digest says"):
            use()
    assert rx.open(path).layers[0].weights[0] == 42
