"""Writing a model to disk: all of it or nothing, weights beside it where one file is too small."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from radixfmt.errors import UnsupportedError
from radixfmt.export.weights import (
    LARGEST_MODEL,
    dense_bytes,
    sparse_bytes,
    tensor_bytes,
    without_weights,
)
from radixfmt.files import check_target, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

INLINE = 1024
"""Bytes of a constant that stays in the model: it may say what a shape is."""

PAGE = 4096
"""Weights begin at multiples of this, so that a runtime can map them."""


def data_path(path: str | os.PathLike[str]) -> Path:
    """Return where the weights of a model at `path` lie if they are not inside.

    Raises:
        PathError: no model can be written there.
    """
    model = check_target(path, overwrite=True)
    return model.with_name(f"{model.name}.data")


def is_external(model: onnx.ModelProto, *, asked: bool = False) -> bool:
    """Return whether `save` puts the model's weights into a file of their own.

    Raises:
        UnsupportedError: over 2 GB of sparse initializers, which ONNX keeps inside.
    """
    sparse = sparse_bytes(model)
    if sparse > LARGEST_MODEL:
        raise UnsupportedError(
            f"the model's sparse initializers take {sparse} bytes; one ONNX file holds "
            f"{LARGEST_MODEL}",
            hint="use --lowering auto, or export fewer layers at a time",
        )
    return asked or sparse + dense_bytes(model) > LARGEST_MODEL


def save(
    model: onnx.ModelProto,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    external_data: bool = False,
) -> int:
    """Write `model` to `path` through a temporary file, and return its size in bytes.

    Weights of over 2 GB go to one file beside it, `PATH.data`, and are never in memory a second
    time. Both files appear or neither does, unless the machine stops between two renames.

    Args:
        model: not changed.
        path: of the model.
        overwrite: replace what exists.
        external_data: put weights beside the model whatever their size.

    Returns:
        Bytes of the model, and of the weights beside it.

    Raises:
        TargetExistsError: a file exists and `overwrite` is false.
        PathError: the system refuses.
        UnsupportedError: over 2 GB of sparse initializers.
    """
    if not is_external(model, asked=external_data):
        with replacing(path, overwrite=overwrite) as temporary:
            return temporary.write_bytes(model.SerializeToString(deterministic=True))
    beside = data_path(path)
    with _together(beside) as placed, replacing(path, overwrite=overwrite) as temporary:
        with replacing(beside, overwrite=overwrite) as weights, weights.open("wb") as stream:
            bare = _with_weights_in(model, beside.name, stream)
            size = stream.tell()
        placed.append(beside)
        return size + temporary.write_bytes(bare.SerializeToString(deterministic=True))


@contextmanager
def readable(model: onnx.ModelProto) -> Iterator[bytes | str]:
    """Yield what a runtime reads: the model's bytes, or the path of a copy that lasts as long.

    Raises:
        PathError: there is no room for the copy of a model of over 2 GB.
        UnsupportedError: over 2 GB of sparse initializers.
    """
    if not is_external(model):
        yield model.SerializeToString()
        return
    # a runtime may still hold what it has mapped; some systems then keep the file
    with TemporaryDirectory(prefix="radixfmt-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "model.onnx"
        save(model, path, external_data=True)
        yield str(path)


@contextmanager
def _together(beside: Path) -> Iterator[list[Path]]:
    """Yield a list that takes `beside` once it is new; on failure the old one comes back."""
    placed: list[Path] = []
    old = beside.with_name(f".{os.urandom(8).hex()}.tmp")
    if beside.is_file():
        try:
            os.link(beside, old)
        except OSError:  # a file system without hard links
            beside.rename(old)
    try:
        yield placed
    except BaseException:
        if old.exists():
            old.replace(beside)
        elif placed:
            beside.unlink()
        raise
    finally:
        with suppress(OSError):
            old.unlink()


def _with_weights_in(model: onnx.ModelProto, location: str, stream: BinaryIO) -> onnx.ModelProto:
    """Write the weights, one at a time, and return the model that refers to them."""
    from onnx import TensorProto

    bare = without_weights(model)
    bare.graph.sparse_initializer.MergeFrom(model.graph.sparse_initializer)
    for tensor in model.graph.initializer:
        length = tensor_bytes(tensor)
        if length <= INLINE or not tensor.HasField("raw_data"):
            bare.graph.initializer.append(tensor)
            continue
        stream.write(bytes(-stream.tell() % PAGE))
        entries = {"location": location, "offset": stream.tell(), "length": length}
        stream.write(tensor.raw_data)
        kept = bare.graph.initializer.add(
            name=tensor.name, dims=tensor.dims, data_type=tensor.data_type
        )
        kept.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            kept.external_data.add(key=key, value=str(value))
    return bare
