"""Files: the guard, the reader, the writer, and the JSON they share (spec §§2 to 4, 8).

Importing this package loads HDF5.
"""

from radixfmt.storage.guard import HDF5_VERSION
from radixfmt.storage.manifest import FORMAT_VERSION
from radixfmt.storage.reader import File, open, read  # noqa: A004  the public name is rx.open
from radixfmt.storage.writer import Writer, write

__all__ = ["FORMAT_VERSION", "HDF5_VERSION", "File", "Writer", "open", "read", "write"]
