"""Objects by path, every link looked at before it is followed (spec §2: objects)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that reads HDF5

from radixfmt.findings import Finding, refuse

if TYPE_CHECKING:
    from radixfmt.errors import FormatError

DEEPEST = 8
"""Groups inside each other, the root not counted."""

MOST_REMEMBERED = 64
"""Open groups kept, so that a layer's arrays are found without walking from the root."""

LINK_CODES = {h5py.h5l.TYPE_SOFT: "RX1001", h5py.h5l.TYPE_EXTERNAL: "RX1002"}


class Tree:
    """The objects of an open file.

    Args:
        root: `h5py.h5g.GroupID`.
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self._groups: dict[str, Any] = {}
        self._addresses: dict[int, str] = {h5py.h5o.get_info(root).addr: ""}

    def forget(self) -> None:
        """Let go of the open groups."""
        self._groups.clear()

    def find(self, path: str) -> Any:
        """Return the open object at `path`, or None.

        Raises:
            FormatError: RX1001 to RX1006, a link that is not followed.
        """
        node, walked = self.root, ""
        parts = path.strip("/").split("/") if path.strip("/") else []
        if len(parts) > DEEPEST + 1:
            raise _wrong("RX1006", f"deeper than {DEEPEST} groups", path[:300])
        for part in parts:
            if not isinstance(node, h5py.h5g.GroupID):
                return None
            walked = f"{walked}/{part}"
            if walked in self._groups:
                node = self._groups[walked]
                continue
            name = part.encode("utf-8", "surrogateescape")
            if not node.links.exists(name):
                return None
            link = node.links.get_info(name)
            code = link_code(link.type)
            if code:
                raise _wrong(code, "links to other places are not followed", walked)
            node = h5py.h5o.open(node, name)
            if isinstance(node, h5py.h5g.GroupID):
                self._remember(node, link.u, walked)
        return node

    def _remember(self, group: Any, address: int, path: str) -> None:
        """Keep an open group; one that is met by a second path could hold itself."""
        known = self._addresses.setdefault(address, path)
        if known != path:
            code = "RX1005" if path.startswith(f"{known}/") else "RX1004"
            raise _wrong(code, f"the same group as {known or '/'}", path)
        if len(self._groups) >= MOST_REMEMBERED:
            self._groups.pop(next(iter(self._groups)))
        self._groups[path] = group


def link_code(kind: int) -> str | None:
    """Return the code of a link that is not followed, None for a hard one."""
    return None if kind == h5py.h5l.TYPE_HARD else LINK_CODES.get(kind, "RX1003")


def _wrong(code: str, message: str, path: str) -> FormatError:
    return refuse(Finding(code, message, path))
