"""Writing a model to disk: all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.files import replacing

if TYPE_CHECKING:
    import os

    import onnx


def save(model: onnx.ModelProto, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
    """Write `model` to `path` through a temporary file, and return its size in bytes.

    Raises:
        TargetExistsError: the file exists and `overwrite` is false.
        PathError: the system refuses.
    """
    with replacing(path, overwrite=overwrite) as temporary:
        return temporary.write_bytes(model.SerializeToString(deterministic=True))
