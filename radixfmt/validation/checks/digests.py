"""Digests: does the content still hash to what the file says?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radixfmt.findings import Finding
from radixfmt.model.digest import LayerDigests, digests, layer_digests
from radixfmt.validation.checks import View, check

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYER_CODES = {"pattern": "RX8001", "values": "RX8002", "bias": "RX8003"}
ROOT_CODES = {"topology": "RX8004", "content": "RX8005", "metadata": "RX8008"}


@check("digests", needs=("arrays", "graph"))
def digest(view: View) -> Iterator[Finding]:
    """Yield every digest that is missing or is not that of the content."""
    file = view.open_file
    network = file.network()
    found: list[LayerDigests] = []
    for i, layer in enumerate(network.layers):
        found.append(layer_digests(layer))
        computed, declared = found[-1].as_json(), view.headers[i].digests
        for name in sorted(computed.keys() | declared.keys()):
            yield from _compare(
                LAYER_CODES.get(name, "RX8007"),
                f"/layers/{i:06d}",
                f"/digests/{name}",
                declared.get(name),
                computed.get(name),
            )
    computed_root = digests(network, found)
    for name, code in ROOT_CODES.items():
        yield from _compare(
            code, "/", f"{name}_digest", file.digest(name), getattr(computed_root, name)
        )


def _compare(
    code: str, path: str, pointer: str, declared: str | None, computed: str | None
) -> Iterator[Finding]:
    if declared is None:
        yield Finding("RX8006", "a digest is missing", path, pointer=pointer)
    elif declared != computed:
        yield Finding(
            code,
            "the content is not what the digest says",
            path,
            pointer=pointer,
            expected=declared[:80],
            actual=computed or "nothing to hash",
            hint="the file was changed after it was written; fetch it again",
        )
