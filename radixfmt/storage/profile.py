"""What a dataset must be before any of it is read (spec §2: datasets, types)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that reads HDF5
import numpy as np

from radixfmt.findings import Finding, refuse
from radixfmt.model.dtypes import dtype_of
from radixfmt.storage.codec import FILTERS, SHUFFLE

if TYPE_CHECKING:
    from radixfmt.errors import FormatError

LARGEST_CHUNK = 16 << 20
MOST_CHUNKS = 1 << 22
"""More chunks of one dataset are not worth listing; at 64 KiB each they hold 256 GiB."""

ZSTD = 32015


def _bfloat16() -> Any:
    """Return the type built by hand, since h5py makes bfloat16 opaque."""
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_ebias(127)
    return kind


BFLOAT16 = _bfloat16()

STANDARD = {
    (h5py.h5t.INTEGER, 1): {"int8": h5py.h5t.STD_I8LE, "uint8": h5py.h5t.STD_U8LE},
    (h5py.h5t.INTEGER, 2): {"int16": h5py.h5t.STD_I16LE, "uint16": h5py.h5t.STD_U16LE},
    (h5py.h5t.INTEGER, 4): {"int32": h5py.h5t.STD_I32LE, "uint32": h5py.h5t.STD_U32LE},
    (h5py.h5t.INTEGER, 8): {"int64": h5py.h5t.STD_I64LE, "uint64": h5py.h5t.STD_U64LE},
    (h5py.h5t.FLOAT, 2): {"float16": h5py.h5t.IEEE_F16LE, "bfloat16": BFLOAT16},
    (h5py.h5t.FLOAT, 4): {"float32": h5py.h5t.IEEE_F32LE},
    (h5py.h5t.FLOAT, 8): {"float64": h5py.h5t.IEEE_F64LE},
}
"""The types of the format by class and size, bit for bit."""

CLASSES = {
    h5py.h5t.TIME: "times", h5py.h5t.STRING: "text", h5py.h5t.BITFIELD: "bit fields",
    h5py.h5t.OPAQUE: "opaque bytes", h5py.h5t.COMPOUND: "compounds",
    h5py.h5t.REFERENCE: "references", h5py.h5t.ENUM: "enumerations",
    h5py.h5t.VLEN: "sequences of variable length", h5py.h5t.ARRAY: "arrays",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """A dataset that may be read.

    Attributes:
        path: where it is.
        dtype: of its elements; `S` of its length for text.
        shape: sizes.
        layout: HDF5's `CONTIGUOUS`, `CHUNKED` or `COMPACT`.
        chunk: shape of its chunks, () where it has none.
        filters: numbers of its filters, in order.
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    layout: int
    chunk: tuple[int, ...]
    filters: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes that it declares."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a decoded chunk."""
        return math.prod(self.chunk) * self.dtype.itemsize

    @property
    def grid(self) -> tuple[int, ...]:
        """Numbers of chunks along each axis."""
        return tuple(-(-n // step) for n, step in zip(self.shape, self.chunk, strict=True))


def profile(dataset: Any, path: str, *, largest_rank: int, text: bool | None) -> Profile:
    """Return what is known of a dataset (`h5py.h5d.DatasetID`) after checking it.

    Args:
        dataset: looked at in an order in which nothing else is opened.
        path: for messages.
        largest_rank: of numbers.
        text: whether it must be text (true), numbers (false) or either (None).

    Raises:
        FormatError: RX1011 to RX1014, RX1022, RX1023, RX1031 to RX1033.
    """
    creation = dataset.get_create_plist()
    layout: int = creation.get_layout()
    # first of all: asking a virtual dataset for its shape would open its sources
    if layout == h5py.h5d.VIRTUAL:
        raise _wrong("RX1012", "a virtual dataset", path)
    if layout not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED, h5py.h5d.COMPACT):
        raise _wrong("RX0108", "an unknown layout", path)
    if layout == h5py.h5d.CONTIGUOUS and creation.get_external_count():
        raise _wrong("RX1011", "data stored in another file", path)
    dtype = _dtype(dataset.get_type(), path, text=text)
    space = dataset.get_space()
    shape = _shape(space, path, 0 if dtype.kind == "S" else largest_rank)
    filters = _filters(creation, dtype.itemsize, path)
    chunk: tuple[int, ...] = ()
    if layout == h5py.h5d.CHUNKED:
        chunk = _chunk(creation.get_chunk(), shape, dtype.itemsize, path)
    elif filters:
        raise _wrong("RX1013", "filters on data that is not in chunks", path)
    if space.get_simple_extent_dims(maxdims=True) != shape:
        raise _wrong("RX1022", f"may grow beyond its shape {shape}", path)
    if creation.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
        _check_fill(creation, dataset.dtype, path)
    return Profile(path, dtype, shape, layout, chunk, filters)


def is_fixed_text(kind: Any) -> bool:
    """Return whether an HDF5 type is the format's one kind of text: of fixed length, NUL-padded."""
    return bool(
        kind.get_class() == h5py.h5t.STRING
        and not kind.is_variable_str()
        and kind.get_strpad() in (h5py.h5t.STR_NULLPAD, h5py.h5t.STR_NULLTERM)
    )


def is_variable_text(kind: Any) -> bool:
    """Return whether an HDF5 type is text of variable length."""
    return bool(kind.get_class() == h5py.h5t.STRING and kind.is_variable_str())


def _dtype(kind: Any, path: str, *, text: bool | None) -> np.dtype[Any]:
    if kind.committed():
        raise _wrong("RX1031", "a committed type", path)
    found, size = kind.get_class(), kind.get_size()
    if found == h5py.h5t.STRING and text is not False and is_fixed_text(kind):
        return np.dtype(f"S{size}")
    if found not in (h5py.h5t.INTEGER, h5py.h5t.FLOAT) or text:
        what = (
            "text of variable length" if is_variable_text(kind) else CLASSES.get(found, "elements")
        )
        wanted = "a scalar fixed-length UTF-8 string" if text else "integers or floats"
        raise _wrong("RX1031", f"expected {wanted}, got {what} of {size} bytes", path)
    for name, standard in STANDARD.get((found, size), {}).items():
        if kind.equal(standard):
            return dtype_of(name)
    raise _wrong(
        "RX1032",
        f"expected standard little-endian numbers, got {8 * size} bits, of which "
        f"{kind.get_precision()} from bit {kind.get_offset()} on"
        f"{', big-endian' if kind.get_order() == h5py.h5t.ORDER_BE else ''}",
        path,
    )


def _shape(space: Any, path: str, largest_rank: int) -> tuple[int, ...]:
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        raise _wrong("RX1033", "a null dataspace: no shape at all", path)
    shape: tuple[int, ...] = space.get_simple_extent_dims()
    if len(shape) > largest_rank:
        code = "RX1033" if largest_rank else "RX1031"  # rank 0: text
        raise _wrong(code, f"expected rank at most {largest_rank}, got {len(shape)}", path)
    return shape


def _filters(creation: Any, itemsize: int, path: str) -> tuple[int, ...]:
    used = [creation.get_filter(i) for i in range(creation.get_nfilters())]
    found = tuple(int(code) for code, *_ in used)
    for code in found:
        if code not in FILTERS:
            what = "zstd: needs filter.zstd, of which no version knows" if code == ZSTD else "given"
            raise _wrong("RX1013", f"filter {code} ({what}) is not allowed", path)
    if found != tuple(code for code in FILTERS if code in found):
        raise _wrong("RX1013", f"filters in the order {found}, expected that of {FILTERS}", path)
    for code, _, values, _ in used:
        if code == SHUFFLE and tuple(values) != (itemsize,):
            raise _wrong("RX1013", f"shuffles {values} bytes, elements have {itemsize}", path)
    return found


def _chunk(
    chunk: tuple[int, ...], shape: tuple[int, ...], itemsize: int, path: str
) -> tuple[int, ...]:
    size = math.prod(chunk) * itemsize
    if len(chunk) != len(shape) or not 0 < size <= LARGEST_CHUNK:
        raise _wrong(
            "RX1014",
            f"chunks of shape {chunk} and {size} bytes for data of shape {shape}",
            path,
        )
    count = math.prod(-(-n // step) for n, step in zip(shape, chunk, strict=True))
    if count > MOST_CHUNKS:
        raise _wrong("RX1014", f"{count} chunks; at most {MOST_CHUNKS} are read", path)
    return chunk


def _check_fill(creation: Any, dtype: np.dtype[Any], path: str) -> None:
    value = np.zeros((), dtype)
    creation.get_fill_value(value)
    if any(value.tobytes()):
        raise _wrong("RX1023", f"fill value {str(value)[:40]}", path)


def _wrong(code: str, message: str, path: str) -> FormatError:
    return refuse(Finding(code, message, path))
