"""What a file that is not HDF5 looks like, so that the hint can name the way in."""

from __future__ import annotations

import re

from radixfmt.storage.spelling import is_utf8

BEGINNINGS = {
    b"PK\x03\x04": "a zip archive (.npz or .pt)",
    b"%%MatrixMarket": "a MatrixMarket file",
    b"%MatrixMarket": "a MatrixMarket file",
    b"\x93NUMPY": "a .npy array",
    b"\x1f\x8b": "a gzip archive",
    b"\x80\x02": "a Python pickle (.pt)",
    b"CDF": "a NetCDF file",
}

TABLE = re.compile(rb"[-+.\deE]+([ \t,]+[-+.\deE]+)+[ \t]*\r?(\n|$)")
ONNX_IR_VERSIONS = range(1, 64)
ONNX_NEXT_FIELDS = b"\x12\x1a\x22\x28\x32\x3a\x42"
"""Tags that follow `ir_version` in a ModelProto: producer, domain, version, doc, graph, opset."""

LARGEST_SAFETENSORS_HEADER = 100 << 20


def looks_like(head: bytes) -> str | None:
    """Return what a file that begins with `head` seems to be, or None."""
    for beginning, name in BEGINNINGS.items():
        if head.startswith(beginning):
            return name
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LARGEST_SAFETENSORS_HEADER:
        return "a safetensors file"
    if head[:1] == b"\x08" and head[1:2] and head[1] in ONNX_IR_VERSIONS:
        return "an ONNX model" if head[2:3] and head[2] in ONNX_NEXT_FIELDS else None
    if TABLE.match(head):
        return "a table of numbers (.tsv)"
    if head.lstrip()[:1] in (b"{", b"["):
        return "JSON text"
    printable = not any(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    # the last character may be cut
    return "text" if printable and is_utf8(head[:-3]) and head else None
