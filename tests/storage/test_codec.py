"""Chunks: our coder and HDF5's read each other, and no stream makes ours overrun."""

from __future__ import annotations

import itertools
import struct
import zlib

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radixfmt.errors import FormatError
from radixfmt.storage.codec import DEFLATE, FLETCHER32, SHUFFLE, decode, encode, fletcher32
from radixfmt.storage.guard import Guard

TYPES = ("<u1", "<i2", "<u4", "<f4", "<u8", "<f8")


@given(st.binary(max_size=400), st.sampled_from(TYPES), st.integers(1, 9))
def test_what_was_encoded_decodes_to_the_same_bits(data, dtype, level):
    width = np.dtype(dtype).itemsize
    block = np.frombuffer(data[: len(data) // width * width], dtype)
    raw = encode(block, level=level)
    assert decode(raw, size=block.nbytes, itemsize=width).tobytes() == block.tobytes()
    half = np.zeros(block.size // 2 * width, np.uint8)
    decode(raw, size=block.nbytes, itemsize=width, out=half)
    assert half.tobytes() == block[: block.size // 2].tobytes()


@pytest.mark.parametrize("dtype", TYPES)
def test_hdf5_reads_what_we_encode(dtype, tmp_path):
    values = np.random.default_rng(0).integers(0, 100, 1000).astype(dtype)
    padded = np.concatenate([values, np.zeros(24, dtype)])
    with h5py.File(tmp_path / "x.h5", "w") as file:
        made = file.create_dataset("x", (1000,), dtype, chunks=(256,), shuffle=True, compression=1)
        for start in range(0, 1024, 256):
            made.id.write_direct_chunk((start,), encode(padded[start : start + 256], level=6))
    with h5py.File(tmp_path / "x.h5") as file:
        assert file["x"][:].tobytes() == values.tobytes()


@pytest.mark.parametrize("filters", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("shape", [(1,), (777,), (70, 33), (5, 6, 7)])
def test_we_read_what_hdf5_wrote(filters, shape, tmp_path):
    shuffle, deflate, fletcher = filters
    rng = np.random.default_rng(1)
    values = {name: rng.integers(0, 9, shape).astype(name) for name in TYPES}
    chunk = tuple(max(1, n // 3) for n in shape)
    with h5py.File(tmp_path / "x.h5", "w", libver=("v110", "v110")) as file:
        for name, array in values.items():
            file.create_dataset(
                name[1:], data=array, chunks=chunk, shuffle=shuffle, fletcher32=fletcher,
                compression=4 if deflate else None,
            )  # fmt: skip
    guard = Guard(tmp_path / "x.h5")
    for name, array in values.items():
        stored = guard.array(f"/{name[1:]}", largest_rank=8)
        assert stored.dtype == np.dtype(name)
        np.testing.assert_array_equal(stored.read(), array)
        for start, stop in ((0, 0), (0, 1), (1, 2), (shape[0] // 2, shape[0]), (2, 10**9)):
            np.testing.assert_array_equal(stored[start:stop], array[start:stop])
    guard.close()


def test_neighbouring_slices_and_threads_see_the_same_numbers(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    values = np.random.default_rng(2).integers(0, 2**32, 300_000).astype("<u4")
    with h5py.File(tmp_path / "x.h5", "w", libver=("v110", "v110")) as file:
        file.create_dataset("x", data=values, chunks=(10_000,), shuffle=True, compression=1)
    guard = Guard(tmp_path / "x.h5")
    stored = guard.array("/x")
    assert (stored[:] == values).all()  # by several threads of its own
    with ThreadPoolExecutor(4) as pool:
        starts = range(0, 300_000, 777)
        parts = list(pool.map(lambda at: stored[at : at + 777], starts))
    assert (np.concatenate(parts) == values).all()
    guard.close()


@given(st.binary(max_size=300_000) | st.integers(0, 200_000).map(lambda n: b"\xff" * n))
def test_the_checksum_is_what_hdf5_computes(data):
    low = high = 0
    padded = data + b"\0" * (len(data) % 2)
    for (word,) in itertools.islice(struct.iter_unpack(">H", padded), 4000):
        low += word
        high += low
    expected = [(total - 1) % 0xFFFF + 1 if total else 0 for total in (low, high)]
    assert fletcher32(padded[:8000]) == expected[1] << 16 | expected[0]


PLAIN = bytes(range(64))
STREAM = zlib.compress(PLAIN)


@pytest.mark.parametrize(
    ("raw", "filters", "code"),
    [
        pytest.param(zlib.compress(PLAIN * 2), {DEFLATE}, "RX1016", id="33-one chunk too long"),
        pytest.param(zlib.compress(PLAIN[:-1]), {DEFLATE}, "RX1017", id="34-one byte too short"),
        pytest.param(b"", {DEFLATE}, "RX1017", id="34-nothing"),
        pytest.param(STREAM[:-5], {DEFLATE}, "RX1017", id="34-stream without its end"),
        pytest.param(PLAIN[:-1], {SHUFFLE}, "RX1017", id="34-plain too short"),
        pytest.param(STREAM + b"0123456789", {DEFLATE}, "RX1017", id="35-ten extra bytes"),
        pytest.param(STREAM[:-1] + bytes([STREAM[-1] ^ 1]), {DEFLATE}, "RX1018", id="36-bit flip"),
        pytest.param(b"abc", {DEFLATE}, "RX1018", id="36-no stream"),
        pytest.param(STREAM + b"abcd", {DEFLATE, FLETCHER32}, "RX1019", id="37-checksum"),
        pytest.param(b"ab", {FLETCHER32}, "RX1017", id="37-two bytes with a checksum"),
    ],
)
def test_a_lying_chunk_is_refused(raw, filters, code):
    with pytest.raises(FormatError) as caught:
        decode(raw, size=64, itemsize=4, filters=filters)
    assert caught.value.code == code
