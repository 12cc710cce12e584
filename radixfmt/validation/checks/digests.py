"""Digests: does the content still hash to what the file says?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.model.digest import (
    LayerDigests,
    dense_digest,
    digests,
    layer_digests,
)
from radixfmt.model.forms import DIGEST
from radixfmt.storage.verify import CODES, as_declared
from radixfmt.validation.checks import View, check
from radixfmt.validation.report import Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT_CODES = {"topology": "RX8004", "content": "RX8005", "metadata": "RX8008"}


@check("digests", needs=("arrays", "values", "graph"))
def digest(view: View) -> Iterator[Finding]:
    """Yield every digest that is missing, misspelt, or not that of the content."""
    file = view.open_file
    network = file.network()
    found: list[LayerDigests] = []
    left_out = unknown = 0
    for i, (header, made) in enumerate(zip(view.headers, view.made, strict=True)):
        left_out += not made
        if not made and "pattern" not in header.digests:
            unknown += 1
            yield from _compare("RX8001", f"/layers/{i:06d}", "/digests/pattern", None, "rx1:…")
            continue
        layer = network.layers[i]
        found.append(layer_digests(layer) if made else as_declared(layer, header))
        for name, computed in found[-1].as_json().items():
            code = CODES[name]
            if name == "pattern" and header.pattern["encoding"] == "procedural":
                code = "RX7004"
            yield from _compare(
                code,
                f"/layers/{i:06d}",
                f"/digests/{name}",
                header.digests.get(name),
                computed,
            )
    if left_out:
        view.skipped.append(
            Skipped(
                "expansion",
                f"the generated edges of {left_out} of {len(view.headers)} layers were not made "
                "to check their digests; --expand makes them",
            )
        )
    if unknown:
        return
    view.digests = digests(network, found)
    for name, code in ROOT_CODES.items():
        yield from _compare(
            code, "/", f"{name}_digest", file.digest(name), getattr(view.digests, name)
        )
    for i, tensor in enumerate(file.manifest.tensors):
        computed = dense_digest(network.tensors[tensor.name])
        yield from _compare("RX8003", f"/tensors/{i:06d}", "", tensor.digest, computed)


def _compare(
    code: str, path: str, pointer: str, declared: str | None, computed: str
) -> Iterator[Finding]:
    if declared is None:
        yield Finding("RX8006", "a digest is missing", path, pointer=pointer, expected=computed)
    elif not DIGEST.fullmatch(declared):
        yield Finding(
            "RX8007",
            "not a digest of this format",
            path,
            pointer=pointer,
            expected="rx1: or rx1r: and 64 lower-case hex digits",
            actual=declared[:80],
        )
    elif declared != computed:
        yield Finding(
            code,
            "the content is not what the digest says",
            path,
            pointer=pointer,
            expected=declared,
            actual=computed,
        )
