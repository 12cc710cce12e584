"""An open file and what it says of itself: version, manifest, headers, digests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from radixfmt.limits import DEFAULTS, Limits
from radixfmt.model.dtypes import LARGEST_RANK
from radixfmt.storage.guard import Guard
from radixfmt.storage.header import LayerHeader
from radixfmt.storage.manifest import FORMAT_VERSION, PATH, Manifest
from radixfmt.storage.migrations import migration
from radixfmt.storage.strict_json import parse

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

MAJOR = FORMAT_VERSION.partition(".")[0]

NUMBER = r"(0|[1-9][0-9]{0,3})"
VERSION = re.compile(rf"{NUMBER}\.{NUMBER}(-draft\.{NUMBER})?")


class File:
    """An open radixfmt file: what it says about itself, without reading its data.

    Args:
        path: the file.
        trusted: also open what the HDF5 library can crash on, see `open`.
        drafts: also read drafts that a migration brings up.
        limits: of what the file may use.

    Raises:
        PathError: missing or not readable.
        FormatError: not a radixfmt file, another version, or a broken header.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        trusted: bool = False,
        drafts: bool = False,
        limits: Limits = DEFAULTS,
    ) -> None:
        self.guard = Guard(path, trusted=trusted, limits=limits)
        try:
            self.version = self._check_version(drafts=drafts)
            self.manifest = self._manifest()
        except BaseException:
            self.guard.close()
            raise

    def digest(self, name: str) -> str | None:
        """Return root attribute `NAME_digest` ("topology", "content", "metadata")."""
        found = self.guard.attribute("/", f"{name}_digest")
        return None if found is None else found.decode("ascii", "replace")

    def count(self) -> int:
        """Return the number of layers.

        Raises:
            FormatError: RX3001, groups that are not numbered from 000000 without a gap.
        """
        names = self.guard.names("/layers")
        if len(names) > self.guard.limits.layers:
            raise self.guard.refuse(
                "RX1006",
                "more layers than the limit",
                "/layers",
                expected=f"at most {self.guard.limits.layers}",
                actual=str(len(names)),
            )
        for i, name in enumerate(names):
            if name != f"{i:06d}":
                raise self.guard.refuse(
                    "RX3001",
                    "layers are not numbered from 000000 without a gap",
                    "/layers",
                    expected=f"{i:06d}",
                    actual=name[:40],
                )
        return len(names)

    def header(self, i: int) -> LayerHeader:
        """Return what is known of layer `i` without reading its arrays."""
        path = f"/layers/{i:06d}"
        data = self.guard.attribute(path, "layer")
        if data is None:
            raise self.guard.refuse("RX3002", "the attribute `layer` is missing", path)
        return LayerHeader.from_json(data, path=path, file=self.guard.file)

    def _manifest(self) -> Manifest:
        if not self.guard.exists(PATH):
            raise self.guard.refuse("RX2001", "the manifest is missing", PATH)
        value = parse(self.guard.text(PATH), path=PATH, file=self.guard.file)
        version = self.version
        if "-draft." in version:
            value = migration[version](value, self._undescribed)
            version = FORMAT_VERSION
        return Manifest.from_json(value, file=self.guard.file, version=version)

    def _undescribed(self, i: int) -> NDArray[Any]:
        """Return dense tensor `i` of a draft whose manifest does not describe it."""
        return self.guard.array(f"/tensors/{i:06d}", largest_rank=LARGEST_RANK).read()

    def _check_version(self, *, drafts: bool) -> str:
        name = self.guard.attribute("/", "format")
        if name != b"radixfmt":
            raise self.guard.refuse(
                "RX0201", "an HDF5 file, but not a radixfmt file: no attribute format=radixfmt"
            )
        version = (self.guard.attribute("/", "format_version") or b"").decode("ascii", "replace")
        parts = VERSION.fullmatch(version)
        if parts is None:
            raise self.guard.refuse(
                "RX0204",
                "malformed format_version",
                expected="MAJOR.MINOR[-draft.N]",
                actual=version[:40],
            )
        draft = parts[3] is not None
        old = draft and version in migration  # a look-up loads plugins
        if (draft or parts[1] != MAJOR) and not (drafts and old):
            raise self.guard.refuse(
                "RX0202",
                f"a {'draft' if draft else 'major version'} of the format that is not read",
                expected=f"{MAJOR}.N",
                actual=version,
                hint="radixfmt convert FILE NEW.rx.h5 brings it up" if old else None,
            )
        return version
