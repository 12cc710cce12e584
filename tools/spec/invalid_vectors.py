"""The invalid vectors: a file for each code of the catalogue, which reports that code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py  # noqa: TID253  vectors are made with it
from vector_networks import plain

import radixfmt as rx
from radixfmt.codes import CODES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOR_VALIDATORS = frozenset({
    "RX0206", "RX1004", "RX1006", "RX1007", "RX1041", "RX1042", "RX1042-array", "RX3004", "RX3021",
    "RX3022", "RX3023", "RX3023-more", "RX3023-values", "RX4009", "RX5004", "RX6002",
    "RX6002-subgraph", "RX6008", "RX6008-inputs", "RX6008-type", "RX6009", "RX7004", "RX8001",
    "RX8002", "RX8002-bit", "RX8003", "RX8003-tensor", "RX8004", "RX8005", "RX8006", "RX8006-layer",
    "RX8007", "RX8007-prefix", "RX8008",
})  # fmt: skip
"""Errors that a reader need not look for: what it hands out is what is there all the same."""


@dataclass(frozen=True, slots=True)
class Case:
    """One invalid vector.

    Attributes:
        name: its code, and after a hyphen what sets it apart from others of that code.
        about: one sentence.
        edit: what is done to the open file.
        network: what is written before it is broken.
        raw: what is done to the file's bytes after that.
        whole: in place of both: it gets the open file and the path of the vector, and makes it.
        also: codes that it cannot but report as well.
        options: of the command line.
        level: of readers that can tell what is wrong, if any has to.
        storage: as `radixfmt.write` takes it.
    """

    name: str
    about: str
    edit: Callable[[Any], None] | None = None
    network: Callable[[], rx.Network] = plain
    raw: Callable[[bytes], bytes] | None = None
    whole: Callable[[Any, str], None] | None = None
    also: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    level: str = "core"
    storage: str = "explicit"

    @property
    def code(self) -> str:
        """The code of the requirement that it breaks."""
        return self.name[:6]


def cases() -> list[Case]:
    """Return all invalid vectors."""
    from invalid_container import container_cases, object_cases
    from invalid_network import digest_cases, graph_cases, hint_cases
    from invalid_parts import json_cases, layer_cases, number_cases

    found = [
        *container_cases(), *object_cases(), *json_cases(), *layer_cases(), *number_cases(),
        *graph_cases(), *digest_cases(), *hint_cases(),
    ]  # fmt: skip
    return sorted(found, key=lambda case: case.name)


def write(folder: Path, case: Case) -> dict[str, Any]:
    """Write one invalid vector and return what a validator says of it."""
    path = folder / f"{case.name}.rx.h5"
    rx.write(path, case.network(), storage=case.storage)
    if case.edit is not None:
        with h5py.File(path, "r+", libver=("v110", "v110")) as file:
            case.edit(file)
    if case.raw is not None:
        path.write_bytes(case.raw(path.read_bytes()))
    if case.whole is not None:
        source = path.with_suffix(".source")
        path.rename(source)
        with h5py.File(source, "r") as file:
            case.whole(file, str(path))
        source.unlink()
    codes = sorted({case.code, *case.also})
    valid = all(CODES[code].severity != "error" for code in codes)
    level = case.level
    if valid:
        level = "hint"
    elif case.name in FOR_VALIDATORS or case.options:
        level = "validator"
    return {
        "about": case.about,
        "codes": codes,
        "valid": valid,
        "level": level,
        "options": list(case.options),
    }
