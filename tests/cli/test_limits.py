"""`convert --limits`: what a stranger's file may use, raised and lowered."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import radixfmt as rx


@pytest.fixture(params=["here", "apart"])
def wordy(request, radixfmt, small):
    """A file of a longer manifest than is read; if its texts have no fixed length, read apart."""
    rx.write("net.rx.h5", small)
    with h5py.File("net.rx.h5", "r+") as file:
        long = b'"mood":"' + b"x" * (17 << 20) + b'","requires"'
        manifest = file["manifest"][()].replace(b'"requires"', long, 1)
        del file["manifest"]
        file["manifest"] = np.bytes_(manifest) if request.param == "here" else manifest.decode()
    return "net.rx.h5"


def test_convert_reads_as_much_as_it_is_allowed(radixfmt, wordy, small):
    refused = radixfmt("convert", wordy, "out.rx.h5")
    assert (refused.code, "RX2006" in refused.err) == (2, True)
    done = radixfmt("convert", wordy, "out.rx.h5", "--limits", "manifest=2**25")
    assert done.code == 0, done.err
    assert "not kept: /manifest#/mood" in done.err
    assert rx.diff("out.rx.h5", small).equal
    lower = ["--limits", "manifest=2**25", "--limits", "layers=3"]
    refused = radixfmt("convert", wordy, "out.rx.h5", *lower, "--overwrite")
    assert (refused.code, "RX1006 more layers than the limit" in refused.err) == (2, True)


def test_convert_bounds_the_process_it_reads_in(radixfmt, small):
    rx.write("net.rx.h5", small)
    with h5py.File("net.rx.h5", "r+") as file:
        file.attrs["format"] = "radixfmt"  # of no fixed length: not read here
    refused = radixfmt("convert", "net.rx.h5", "out.rx.h5", "--limits", "wall=0")
    assert (refused.code, "RX0199" in refused.err) == (2, True)
    assert "--limits wall=" in refused.err
    assert radixfmt("convert", "net.rx.h5", "out.rx.h5").code == 0
