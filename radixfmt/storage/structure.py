"""A walk of all objects of a file: links, names, types, sizes, and what is known (spec §2).

Groups are counted before they are listed, links are looked at before they are followed, and no
data is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  this package is the one that reads HDF5

from radixfmt.errors import FormatError
from radixfmt.findings import Finding
from radixfmt.model.dtypes import LARGEST_RANK
from radixfmt.storage.translated import translated
from radixfmt.storage.tree import DEEPEST, link_code

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from radixfmt.storage.guard import Guard

NAME = re.compile(rb"(?!\.{1,2}\Z)[a-z0-9_.-]{1,64}\Z")

LAYER_ARRAYS = "pointers_to_1|indices_1|values|bias|scale|zero_point|in_perm|out_perm"
GROUPS = re.compile(r"/|/layers|/layers/\d{6}|/tensors|/ext|/ext/.*")
DATASETS = re.compile(rf"/manifest|/layers/\d{{6}}/({LAYER_ARRAYS})|/tensors/\d{{6}}|/ext/.*")
ATTRIBUTES = re.compile(
    r"/@(format|format_version|writer|(topology|content|metadata)_digest)"
    r"|/layers/\d{6}@(layer|binsparse)"
)
"""What this version names, by path; attributes behind an @."""

MOST_FINDINGS = 1000
MOST_UNKNOWN = 100
"""More of the same would only fill the report: there the walk ends, here it goes on silently."""


@dataclass(slots=True)
class _Group:
    """A group to be walked: its path, its address, those of the groups around it."""

    path: str
    node: Any
    around: tuple[int, ...]
    known: bool


class _Walk:
    """One walk; it keeps the addresses of what it has seen."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.limits = guard.limits
        self.seen: set[int] = set()
        self.objects = 1
        self.unknown = 0

    def groups(self) -> Iterator[Finding]:
        """Yield what is wrong with all groups and what is in them."""
        root = self.guard.tree.root
        address = h5py.h5o.get_info(root).addr
        self.seen.add(address)
        yield from self.attributes(root, "/")
        open_groups = [(top := _Group("", root, (address,), known=True), self.listed(top))]
        while open_groups:  # depth first, so that few groups are open at a time
            group, links = open_groups[-1]
            try:
                name, kind, address = next(links)
            except StopIteration:
                open_groups.pop()
                continue
            except FormatError as error:
                yield _finding(error)
                if error.code == "RX1006":
                    return
                open_groups.pop()
                continue
            inside = yield from self.link(group, name, kind, address)
            if inside is not None:
                open_groups.append((inside, self.listed(inside)))

    def listed(self, group: _Group) -> Iterator[tuple[bytes, int, int]]:
        """Yield name, kind and address of each link, unless there are too many."""
        path = group.path or "/"
        with translated(self.guard.file, path):
            found = self.links(group, path)
        yield from found

    def links(self, group: _Group, path: str) -> list[tuple[bytes, int, int]]:
        """Return name, kind and address of each link, counted before they are listed."""
        self.objects += group.node.get_num_objs()
        found: list[tuple[bytes, int, int]] = []
        most = self.limits.objects - self.objects + group.node.get_num_objs()

        def note(name: bytes, info: Any) -> bool | None:
            found.append((name, info.type, info.u if info.type == h5py.h5l.TYPE_HARD else 0))
            return len(found) > most or None  # what the group says of itself may be a lie

        if self.objects <= self.limits.objects:
            group.node.links.iterate(note, info=True)
        if self.objects > self.limits.objects or len(found) > most:
            message = f"more objects than the limit of {self.limits.objects}"
            raise self.guard.refuse("RX1006", message, path)
        return found

    def link(
        self, group: _Group, name: bytes, kind: int, address: int
    ) -> Generator[Finding, None, _Group | None]:
        """Yield what is wrong with one link and its object; return the group it leads to."""
        good = NAME.match(name)
        path = f"{group.path}/{name.decode() if good else _printable(name)}"
        if not good:
            yield Finding(
                "RX1007",
                f"a name of {len(name)} bytes that is not allowed",
                path,
                expected="1 to 64 of a-z 0-9 _ . -",
                actual=_printable(name),
            )
        code = link_code(kind)
        if code:
            yield Finding(code, "links to other places are not followed", path)
        elif address in group.around:
            yield Finding("RX1005", "a group inside itself", path)
        elif address in self.seen:
            yield Finding("RX1004", "an object that has another path as well", path)
        elif good:  # another name might mean another object to the library
            self.seen.add(address)
            try:
                with translated(self.guard.file, path):
                    node = h5py.h5o.open(group.node, name)
            except FormatError as error:
                yield _finding(error)
                return None
            if isinstance(node, h5py.h5g.GroupID):
                return (yield from self.group(group, node, path, address))
            yield from self.leaf(group, node, path)
        return None

    def group(
        self, around: _Group, node: Any, path: str, address: int
    ) -> Generator[Finding, None, _Group | None]:
        """Yield what is wrong with a group itself; return it if it is to be walked."""
        known = GROUPS.fullmatch(path) is not None
        if not known and around.known:  # what is in it need not be told one by one
            yield from self.unnamed("group", path)
        yield from self.attributes(node, path, known=known)
        if len(around.around) > DEEPEST:
            yield Finding("RX1006", f"groups nest more than {DEEPEST} deep", path)
            return None
        return _Group(path, node, (*around.around, address), known)

    def leaf(self, group: _Group, node: Any, path: str) -> Iterator[Finding]:
        """Yield what is wrong with an object that is no group."""
        if not isinstance(node, h5py.h5d.DatasetID):
            yield Finding("RX1031", "a committed type", path)
            return
        known = DATASETS.fullmatch(path) is not None
        if not known and group.known:
            yield from self.unnamed("dataset", path)
        text = None if not known or path.startswith("/ext/") else path == "/manifest"
        rank = LARGEST_RANK if path.startswith(("/tensors/", "/ext/")) else 1
        try:
            with translated(self.guard.file, path):
                profile = self.guard.check(node, path, largest_rank=rank, text=text)
                self.guard.stored(node, profile).check_storage()
        except FormatError as error:
            yield _finding(error)
        yield from self.attributes(node, path, known=known)

    def attributes(self, node: Any, path: str, *, known: bool = True) -> Iterator[Finding]:
        """Yield what is wrong with an object's attributes."""
        try:
            with translated(self.guard.file, path):
                names = self.guard.attribute_names(node, path)
        except FormatError as error:
            yield _finding(error)
            return
        for name in names:
            try:
                with translated(self.guard.file, path):
                    self.guard.attribute_text(node, name, path, variable=False)
            except FormatError as error:
                yield _finding(error)
                continue
            if known and not ATTRIBUTES.fullmatch(f"{path}@{name}"):
                yield from self.unnamed(f"attribute {_printable(name.encode())!r}", path)

    def unnamed(self, what: str, path: str) -> Iterator[Finding]:
        """Yield that this version does not name something, unless that was said often enough."""
        self.unknown += 1
        if self.unknown <= MOST_UNKNOWN:
            yield Finding("RX1051", f"{what} that this version does not name", path)


def walk(guard: Guard) -> Iterator[Finding]:
    """Yield what is wrong with the file's structure; nothing is raised, and no data is read."""
    run = _Walk(guard)
    yield from islice(run.groups(), MOST_FINDINGS)
    if run.unknown > MOST_UNKNOWN:
        yield Finding("RX1051", "things that this version does not name, in all", count=run.unknown)


def _finding(error: FormatError) -> Finding:
    found = error.finding
    return found if isinstance(found, Finding) else Finding(error.code, str(error))


def _printable(name: bytes) -> str:
    """Return at most 64 characters of a name that no terminal takes for commands."""
    return ascii(name[:64].decode("utf-8", "backslashreplace"))[1:-1][:64]
