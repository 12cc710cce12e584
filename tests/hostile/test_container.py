"""1 to 17, 44: bytes that are no whole HDF5 file, and paths that are no files.

The numbers in front of the names are those of the list of hostile inputs.
"""

from __future__ import annotations

import os
import signal
import struct
from contextlib import closing

import h5py
import numpy as np
import pytest

import radixfmt as rx
from radixfmt.errors import FormatError, PathError
from radixfmt.storage.guard import Guard

END_OF_FILE = slice(28, 36)
ZIP_IN_USER_BLOCK = b"PK\x03\x04" + bytes(508)


def cut_out(data, where, value):
    return data[: where.start] + value + data[where.stop :]


BYTES = {
    "1-empty": (lambda data: b"", "RX0101"),
    # the superblock is cut: the same finding as for any other cut, and before HDF5 is asked
    "2-signature-only": (lambda data: data[:8], "RX0102"),
    "3-half": (lambda data: data[: len(data) // 2], "RX0102"),
    "4-last-byte-gone": (lambda data: data[:-1], "RX0102"),
    "5-tail": (lambda data: data + b"x" * 1000, "RX0103"),
    "6-zip-in-user-block": (lambda data: ZIP_IN_USER_BLOCK + data, "RX0101"),
    "6-zip-in-front": (lambda data: b"PK\x03\x04" + data, "RX0101"),
    "7-junk-in-front": (lambda data: b"xyz" + data, "RX0101"),
    "9-end-far-away": (
        lambda data: cut_out(data, END_OF_FILE, (2**63).to_bytes(8, "little")), "RX0102"),
    "9-end-nowhere": (lambda data: cut_out(data, END_OF_FILE, b"\xff" * 8), "RX0102"),
    "13-open-flag": (lambda data: cut_out(data, slice(11, 12), b"\x01"), "RX0107"),
}  # fmt: skip


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_whole_file(name, bases, judge, tmp_path):
    make, code = BYTES[name]
    path = tmp_path / "hostile.rx.h5"
    path.write_bytes(make(bases["explicit"].read_bytes()))
    assert [f.code for f in judge(path, {code}).findings] == [code]
    with pytest.raises(FormatError, match=code):
        rx.open(path)


def test_8_old_superblocks_need_trust(tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w", libver="earliest") as file:
        file["x"] = 1
    with pytest.raises(FormatError, match="RX0104") as caught:
        rx.open(path)
    assert "trusted" in caught.value.hint
    with pytest.raises(FormatError, match="RX0201"):
        rx.open(path, trusted=True)


def length_of_header(data, at):
    """Return the bytes of the version 2 object header at `at`, its checksum included."""
    flags = data[at + 5]
    width = 1 << (flags & 3)
    size = at + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
    return size + width + int.from_bytes(data[size : size + width], "little") + 4 - at


@pytest.mark.parametrize(("kind", "code"), [("root", "RX0105"), ("group", "RX0108")])
def test_10_every_bit_of_an_object_header_is_covered_by_a_checksum(
    kind, code, bases, judge, tmp_path
):
    data = bases["explicit"].read_bytes()
    path = tmp_path / "hostile.rx.h5"
    with h5py.File(bases["explicit"]) as file:  # without the root HDF5 does not open the file
        group = file if kind == "root" else file["layers"]
        at = h5py.h5o.get_info(group.id).addr
    assert data.startswith(b"OHDR", at)
    for bit in range(8 * length_of_header(data, at)):
        mutant = bytearray(data)
        mutant[at + bit // 8] ^= 1 << bit % 8
        path.write_bytes(mutant)
        with pytest.raises(FormatError) as caught, closing(Guard(path)) as guard:
            guard.names("/layers")
        assert caught.value.code == code, bit
    judge(path, {code})


def flip(path, dataset, element, bit):
    """Flip one bit of one element of a dataset without filters, behind the library's back."""
    with h5py.File(path) as file:
        stored = file[dataset]
        assert stored.chunks is None
        at = stored.id.get_offset() + element * stored.dtype.itemsize + bit // 8
    with path.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 1 << bit % 8]))


def test_11_a_bit_of_a_value(edited, judge):
    values = "/layers/000001/values"
    path = edited("explicit", lambda e: e.change(values, lambda old: old))
    judge(path, set())
    flip(path, values, 7, 2)
    judge(path, {"RX8002", "RX8005"})


@pytest.mark.parametrize(
    ("name", "element", "bit", "codes"),
    [  # the first column holds 0 2 4 6 8 10, of 12
        ("12-out-of-range", 0, 15, {"RX4004"}),
        ("12-order", 1, 2, {"RX4005"}),
        ("12-twice", 1, 1, {"RX4006"}),
        ("12-another-edge", 1, 0, {"RX8001", "RX8004", "RX8005"}),
    ],
)
def test_a_bit_of_an_index(name, element, bit, codes, edited, judge):
    indices = "/layers/000001/indices_1"
    path = edited("explicit", lambda e: e.change(indices, lambda old: old))
    judge(path, set())
    flip(path, indices, element, bit)
    judge(path, codes)


def test_13_a_writer_that_was_killed(bases, judge, tmp_path):
    path = tmp_path / "hostile.rx.h5"
    path.write_bytes(bases["explicit"].read_bytes())
    pid = os.fork()
    if pid == 0:
        file = h5py.File(path, "r+", libver=("v110", "v110"))
        file["layers/000000/values"][0] = 5
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    judge(path, {"RX0107"})


def test_14_a_path_that_is_no_file(judge, tmp_path):
    with pytest.raises(PathError, match="got a folder"):
        rx.validate(tmp_path)
    with pytest.raises(PathError, match="got a folder"):
        rx.open(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for special in (tmp_path / "pipe", "/dev/zero", tmp_path / "link"):
        judge(special, {"RX0106"})


def test_15_a_file_that_is_replaced_while_it_is_open(bases, tmp_path):
    """Replacing gives the name to another file; whoever has the old one open keeps it."""
    path, other = tmp_path / "net.rx.h5", tmp_path / "other.rx.h5"
    path.write_bytes(bases["explicit"].read_bytes())
    other.write_bytes(bases["bfloat16"].read_bytes())
    with rx.open(path) as network:
        other.replace(path)
        assert network.layers[3].pattern.indices.size == network.layers[3].pattern.nnz
    with rx.open(path) as network:
        assert network.layers[0].name == "b"


def with_chunk_message(path, *, chunk, rank=2):
    """A file whose one chunked vector says another chunk size, or rank, than HDF5 would write.

    Old files have no checksums, so that the layout message can be edited: version 3, class 2
    (chunked), rank + 1, address of the index, then the sizes of a chunk and of an element.
    """
    with h5py.File(path, "w", libver="earliest") as file:
        file.create_dataset("layers/000000/values", data=np.ones(64, "<f4"), chunks=(48,))
    whole = bytearray(path.read_bytes())
    sizes = whole.index(struct.pack("<II", 48, 4))
    at = sizes - 11
    assert whole[at : at + 3] == b"\x03\x02\x02"
    whole[sizes : sizes + 4] = struct.pack("<I", chunk)
    whole[at + 2] = rank
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("name", "chunk", "rank"),
    [("44-zero-chunk", 0, 2), ("44-rank-2-of-a-vector", 48, 3), ("44-rank-0", 48, 1)],
)
def test_chunks_that_fit_no_dataset(name, chunk, rank, worker, tmp_path):
    path = tmp_path / "hostile.h5"
    with_chunk_message(path, chunk=chunk, rank=rank)
    guard = Guard(path, trusted=True)
    with pytest.raises(FormatError) as caught:
        guard.array("/layers/000000/values").read()
    guard.close()
    assert caught.value.code in ("RX1014", "RX0108")
    assert not worker.validate(path).ok


def test_damaged_bytes_never_raise_anything_but_our_errors(bases, reading, tmp_path):
    """A seeded sample of what the fuzzer of the format does at length."""
    rng = np.random.default_rng(0)
    whole = np.frombuffer(bases["explicit"].read_bytes(), np.uint8)
    path = tmp_path / "mutant.rx.h5"
    refused, crashed = 0, []
    for _ in range(300):
        mutant = whole.copy()
        at = rng.integers(48, whole.size, rng.integers(1, 4))
        mutant[at] ^= rng.integers(1, 256, at.size, np.uint8)
        path.write_bytes(mutant.tobytes())
        report = rx.validate(path)
        crashed += [f for f in report.findings if "the check '" in f.message]
        try:
            reading(path)
        except rx.RadixfmtError:
            refused += 1
            assert not report.ok, report
    assert refused > 100
    assert crashed == []


def test_a_closed_file_says_so(bases):
    with rx.open(bases["explicit"]) as network:
        layer = network.layers[0]
    for use in (lambda: layer.weights, lambda: layer.pattern.indices, lambda: network.layers[1]):
        with pytest.raises(rx.RadixfmtError, match="closed"):
            use()
