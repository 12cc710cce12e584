"""Datasets outside the profile, read by the HDF5 library: only in a process that may be lost.

What plain h5py, MATLAB and Julia write often differs from the format in ways that lose nothing:
another filter, big-endian numbers, room to grow. `convert` reads it so and writes it anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from radixfmt.storage.translated import translated

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

REPAIRABLE = ("RX1013", "RX1014", "RX1022", "RX1023", "RX1032")
"""Codes of datasets whose numbers the library can still tell."""


@dataclass(frozen=True, slots=True)
class LibraryArray:
    """A dataset of numbers as the HDF5 library reads it.

    Attributes:
        file: name of the file, for messages.
        path: HDF5 path, for messages.
        dataset: `h5py.Dataset`.
    """

    file: str
    path: str
    dataset: h5py.Dataset

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type, in native byte order."""
        found: np.dtype[Any] = self.dataset.dtype.newbyteorder("=")
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes, as declared."""
        return tuple(self.dataset.shape)

    def __getitem__(self, key: slice) -> NDArray[Any]:
        return self.read(key)

    def read(self, key: Any = ()) -> NDArray[Any]:
        """Return all elements, or those of a run along the first axis.

        Raises:
            FormatError: RX0108, the library cannot read them.
        """
        with translated(self.file, self.path):
            return np.asarray(self.dataset[key], self.dtype)
