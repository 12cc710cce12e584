"""Vectors that break section 2: the first bytes, objects, datasets, types, attributes."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  vectors are made with it
import numpy as np
from invalid_bytes import flipped_header, user_defined_link, without_times
from invalid_edits import (
    EXT,
    LAYER,
    array,
    attribute,
    chunk,
    chunks_missing,
    committed,
    ext_group,
    external,
    extra,
    link,
    manifest,
    nested,
    old_superblock,
    sealed,
    together,
    variable_text,
    virtual,
)
from invalid_vectors import Case
from vector_networks import conv_1d

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_LIMIT = 16 << 20


def container_cases() -> list[Case]:
    """Return those of which the first bytes, the version or the features are wrong."""
    version = manifest(lambda value: value.update(version="1.7"))
    return [
        Case("RX0101", "A text file.", raw=lambda _: b"1 2 0.5\n2 1 0.25\n"),
        Case("RX0101-empty", "An empty file.", raw=lambda _: b""),
        Case("RX0101-user-block", "512 bytes stand in front of the signature.",
             raw=lambda data: bytes(512) + data),
        Case("RX0102", "The last byte is missing.", raw=lambda data: data[:-1]),
        Case("RX0102-half", "The second half is missing.",
             raw=lambda data: data[: len(data) // 2]),
        Case("RX0103", "1000 bytes follow the end.", raw=lambda data: data + bytes(1000)),
        Case("RX0104", "A superblock of version 0.", whole=old_superblock),
        Case("RX0105", "The checksum of the superblock is wrong.",
             raw=lambda data: data[:44] + bytes(4) + data[48:]),
        Case("RX0106", "A file of more bytes than the reader accepts.",
             options=("--limits", "file=1000")),
        Case("RX0107", "The writer had the file open when its bytes were copied.",
             whole=_unfinished),
        Case("RX0108", "A bit of a dataset's header is flipped, and its checksum not renewed.",
             whole=_with_bytes(flipped_header(f"{LAYER}/bias"))),
        Case("RX0199", "A file that cannot be read in no time.",
             options=("--limits", "wall=0")),
        Case("RX0201", "The attribute `format` says something else.",
             attribute("format", "binsparse")),
        Case("RX0202", "Major version 2.", attribute("format_version", "2.0")),
        Case("RX0202-draft", "A draft.", attribute("format_version", "1.0-draft.1"),
             also=("RX0205",)),
        Case("RX0203", "It requires a feature that nobody knows.",
             manifest(lambda value: value.update(requires=["procedural.kronecker/9"]))),
        Case("RX0204", "The version is a word.", attribute("format_version", "one")),
        Case("RX0204-zero", "The minor version is written 00.",
             together(attribute("format_version", "1.00"),
                      manifest(lambda value: value.update(version="1.00")))),
        Case("RX0205", "A file of a draft, with nothing else wrong.",
             together(attribute("format_version", "1.0-draft.2"),
                      manifest(lambda value: value.update(version="1.0-draft.2"))),
             also=("RX0202",)),
        Case("RX0206", "A conv layer, and `requires` is empty: who knows no conv refuses it too.",
             manifest(lambda value: value.update(requires=[])), conv_1d),
        Case("RX0207", "Version 1.7, and nothing in it that 1.0 does not know.",
             together(attribute("format_version", "1.7"), version)),
    ]  # fmt: skip


def object_cases() -> list[Case]:
    """Return those of which a link, a name, a dataset, a type or an attribute is wrong."""
    small = {"data": np.arange(3, dtype="<i4")}
    packed = {"compression": 1}
    attributes = [attribute(f"a{i}", "x", EXT) for i in range(65)]
    return [
        Case("RX1001", "A dataset is a soft link.", link(f"{LAYER}/bias",
             h5py.SoftLink("/layers/000001/bias"))),
        Case("RX1001-dangling", "A soft link to nothing.",
             link(f"{EXT}/soft", h5py.SoftLink("/nowhere"))),
        Case("RX1002", "An external link.",
             link(f"{EXT}/outside", h5py.ExternalLink("elsewhere.h5", "/x"))),
        Case("RX1003", "A link of user-defined class 187.",
             link(f"{EXT}/outside", h5py.ExternalLink("elsewhere.h5", "/x")),
             raw=user_defined_link),
        Case("RX1004", "Two paths to one dataset.",
             together(extra("one", **small),
                      lambda file: file.__setitem__(f"{EXT}/two", file[f"{EXT}/one"]))),
        Case("RX1005", "A group that contains itself.", link(f"{EXT}/again", EXT)),
        Case("RX1006", "Groups nine deep.", nested(9)),
        Case("RX1006-objects", "More objects than the reader accepts.",
             options=("--limits", "objects=5")),
        Case("RX1007", "A name with capital letters.", sealed(extra("UPPER", **small))),
        Case("RX1011", "A dataset in another file.", external),
        Case("RX1012", "A virtual dataset.", virtual, raw=without_times),
        Case("RX1013", "The filter lzf.", array("values", compression="lzf")),
        Case("RX1013-order", "Deflate before shuffle.", _deflate_first),
        Case("RX1014", "A chunk of 16 MiB and one byte.", _large_chunk),
        Case("RX1015", "Chunks that were never written.", chunks_missing),
        Case("RX1016", "A chunk that decodes to more than its size.",
             chunk("values", lambda _: zlib.compress(bytes(1 << 16)), **packed)),
        Case("RX1017", "A chunk that decodes to less than its size.",
             chunk("values", lambda _: zlib.compress(bytes(4)), **packed)),
        Case("RX1017-tail", "Ten bytes after the end of a chunk's stream.",
             chunk("values", lambda data: data + bytes(10), **packed)),
        Case("RX1018", "A chunk that does not decode.",
             chunk("values", lambda data: data[:2] + b"\xff" * (len(data) - 2), **packed)),
        Case("RX1019", "A chunk with the checksum of another one.",
             chunk("values", lambda data: data[:-4] + bytes(4), fletcher32=True)),
        Case("RX1020", "A dataset that declares 1 GiB and has no data.",
             extra("large", shape=(1 << 30,), dtype="u1")),
        Case("RX1020-filtered", "A dataset that declares 1 TiB of filtered data.",
             extra("large", shape=(1 << 40,), dtype="u1", chunks=(1 << 20,), **packed)),
        Case("RX1021", "A chunk that skips deflate.",
             chunk("values", zlib.decompress, mask=1, **packed)),
        Case("RX1022", "A dataset that may grow.",
             sealed(extra("growing", **small, maxshape=(None,), chunks=(3,)))),
        Case("RX1023", "A fill value of 7.", sealed(extra("filled", **small, fillvalue=7))),
        Case("RX1031", "A manifest of variable length.", _variable_manifest),
        Case("RX1031-compound", "A compound type.",
             extra("pair", data=np.zeros(2, [("a", "<i4"), ("b", "<f4")]))),
        Case("RX1031-enum", "An enumeration, as h5py stores bool.",
             extra("flags", data=np.array([True, False]))),
        Case("RX1031-committed", "A committed type.", committed, raw=without_times),
        Case("RX1032", "Big-endian weights.", array("values", lambda old: old.astype(">f4"))),
        Case("RX1032-bits", "Integers of 24 bits in 32.", _narrow_integers),
        Case("RX1033", "Weights of rank 2.", array("values", lambda old: old[:, None])),
        Case("RX1033-null", "A dataset without a shape.", extra("null", dtype="<f4", shape=None)),
        Case("RX1041", "65 attributes on one object.",
             together(ext_group, *attributes)),
        Case("RX1042", "An attribute of variable length.",
             variable_text(EXT, "note", "any length")),
        Case("RX1042-array", "An attribute that is an array.",
             lambda file: file.create_group(EXT).attrs.create("note", [1, 2])),
        Case("RX1051", "A group that this version does not name, outside /ext.",
             lambda file: file.create_group("mine")),
        Case("RX1051-attribute", "An attribute that this version does not name, outside /ext.",
             attribute("mine", "text")),
    ]  # fmt: skip


def _with_bytes(find: Callable[[Any], Callable[[bytes], bytes]]) -> Callable[[Any, str], None]:
    """Return what makes a vector of a file's bytes, changed where the open file says."""

    def make(file: Any, path: str) -> None:
        Path(path).write_bytes(find(file)(Path(file.filename).read_bytes()))

    return make


def _unfinished(file: Any, path: str) -> None:
    """Copy the file's bytes while a writer has it open."""
    copy = Path(path).with_suffix(".copy")
    copy.write_bytes(Path(file.filename).read_bytes())
    with h5py.File(copy, "r+", libver=("v110", "v110"), locking=False) as writing:
        writing.flush()
        Path(path).write_bytes(copy.read_bytes())
    copy.unlink()


def _variable_manifest(file: Any) -> None:
    value = file["manifest"][()].decode()
    del file["manifest"]
    file.create_dataset("manifest", data=value, dtype=h5py.string_dtype())


def _low_level(file: Any, name: str, kind: Any, data: Any, settings: Any = None) -> None:
    made = h5py.h5d.create(
        file.require_group(EXT).id,
        name.encode(),
        kind,
        h5py.h5s.create_simple(data.shape),
        settings,
    )
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, data)


def _settings() -> Any:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_obj_track_times(False)
    return settings


def _deflate_first(file: Any) -> None:
    settings = _settings()
    settings.set_chunk((8,))
    settings.set_deflate(1)
    settings.set_shuffle()
    _low_level(file, "packed", h5py.h5t.STD_I32LE, np.arange(8, dtype="<i4"), settings)


def _narrow_integers(file: Any) -> None:
    kind = h5py.h5t.STD_I32LE.copy()
    kind.set_precision(24)
    _low_level(file, "narrow", kind, np.arange(3, dtype="<i4"), _settings())


def _large_chunk(file: Any) -> None:
    length = CHUNK_LIMIT + 1
    made = file.create_dataset(
        f"{EXT}/large", (length,), "u1", chunks=(length,), compression=9, track_times=False
    )
    made.id.write_direct_chunk((0,), zlib.compress(bytes(length), 9))
