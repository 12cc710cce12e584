"""The catalogue of codes: one requirement of the specification each (spec: the text in brackets).

A code is never reused for another meaning. `spec/codes.yaml` is made from this table, and a test
holds the specification, the table and the invalid vectors to be the same set.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]


class Code(NamedTuple):
    """One code.

    Attributes:
        severity: an error makes a file invalid; a warning does under `--strict`.
        requirement: what the specification asks for.
        remedy: what to do about a file that breaks it.
    """

    severity: Severity
    requirement: str
    remedy: str


_AGAIN = "the file was damaged or edited: fetch it again, or write it again from its source"
_WRITE = "correct the program that wrote it; `radixfmt convert` writes what the format asks for"
_REPACK = "radixfmt convert FILE NEW.rx.h5 writes it anew as the format asks"
_FOREIGN = (
    "do not open it with other tools; ask its author for a file that `radixfmt convert` wrote"
)
_INFO = "nothing has to be done"

CODES: dict[str, Code] = {
    # 01: the container
    "RX0101": Code(
        "error",
        "The file MUST begin with the HDF5 signature at byte 0.",
        "check which file this is; radixfmt convert reads other formats",
    ),
    "RX0102": Code(
        "error",
        "The end-of-file address in the superblock MUST NOT exceed the file's size.",
        "the file was cut: fetch or write it again",
    ),
    "RX0103": Code("error", "No byte MUST follow the end-of-file address.", _AGAIN),
    "RX0104": Code(
        "warning",
        "The superblock SHOULD be of version 2 or 3, with 8-byte offsets and base address 0; "
        "a reader MUST NOT hand any other to its HDF5 library outside a process it can lose.",
        _REPACK,
    ),
    "RX0105": Code("error", "The file MUST be one that the HDF5 library opens.", _AGAIN),
    "RX0106": Code(
        "error",
        "The path MUST name a regular file within the reader's size limit.",
        "name a file; if it is meant to be that large: --limits file=BYTES of validate and "
        "convert, limits=Limits(file=BYTES) of radixfmt.open",
    ),
    "RX0107": Code(
        "error",
        "The file MUST NOT be marked as open for writing.",
        "its writer did not finish: write it again",
    ),
    "RX0108": Code(
        "error", "Every object MUST be readable, its metadata checksums included.", _AGAIN
    ),
    "RX0199": Code(
        "error",
        "A reader MUST be able to read the file within its limits of time and memory.",
        "do not trust the file; if it is yours, raise --limits wall=, cpu= or memory=",
    ),
    # 02: the version
    "RX0201": Code(
        "error",
        "The root attribute `format` MUST be `radixfmt`.",
        "an HDF5 file of another kind; check which file this is",
    ),
    "RX0202": Code(
        "error",
        "A reader MUST refuse another major version, and drafts.",
        "pip install -U radixfmt",
    ),
    "RX0203": Code(
        "error",
        "A reader MUST refuse a file whose `requires` names a feature that it does not know.",
        "pip install -U radixfmt",
    ),
    "RX0204": Code(
        "error",
        "`format_version` MUST be MAJOR.MINOR, with -draft.N for a draft, numbers of at most four "
        "digits without a zero in front.",
        _WRITE,
    ),
    "RX0205": Code(
        "info",
        "A draft promises no compatibility.",
        "radixfmt convert FILE NEW.rx.h5 brings the drafts of 1.0 up",
    ),
    "RX0206": Code("error", "Every feature in use MUST be listed in `requires`.", _WRITE),
    "RX0207": Code(
        "info",
        "A reader MUST accept a newer minor version whose `requires` it knows.",
        "pip install -U radixfmt to check it against its own version",
    ),
    # 10: HDF5 objects
    "RX1001": Code("error", "Links MUST be hard links: no soft links.", _FOREIGN),
    "RX1002": Code("error", "Links MUST be hard links: no external links.", _FOREIGN),
    "RX1003": Code("error", "Links MUST be hard links: no user-defined links.", _FOREIGN),
    "RX1004": Code("error", "Every object MUST be reachable by exactly one path.", _WRITE),
    "RX1005": Code("error", "No group MUST contain itself.", _FOREIGN),
    "RX1006": Code(
        "error",
        "Groups MUST nest at most 8 deep, and objects MUST NOT outnumber the reader's limit.",
        "if the file is meant to be that large: --limits objects=N of validate and convert, "
        "limits=Limits(objects=N) of radixfmt.open",
    ),
    "RX1007": Code(
        "error",
        "Names MUST be of 1 to 64 characters out of a-z, 0-9, `_`, `.`, `-`, and not `.` or `..`.",
        _WRITE,
    ),
    "RX1011": Code("error", "No dataset MUST be stored in another file.", _FOREIGN),
    "RX1012": Code("error", "No dataset MUST be virtual.", _FOREIGN),
    "RX1013": Code(
        "error", "Filters MUST be shuffle, deflate and fletcher32, in that order.", _REPACK
    ),
    "RX1014": Code(
        "error", "A chunk MUST have the dataset's rank and at most 16 MiB decoded.", _REPACK
    ),
    "RX1015": Code("error", "Every chunk MUST be allocated.", _AGAIN),
    "RX1016": Code("error", "A chunk MUST NOT decode to more than its declared size.", _FOREIGN),
    "RX1017": Code(
        "error",
        "A chunk MUST decode to its declared size, and no byte MUST follow its stream.",
        _FOREIGN,
    ),
    "RX1018": Code("error", "Stored data MUST decode.", _AGAIN),
    "RX1019": Code("error", "A fletcher32 checksum MUST be that of the data.", _AGAIN),
    "RX1020": Code(
        "error",
        "Datasets MUST NOT declare more bytes than the file can hold: its size unfiltered, "
        "1100 times its size all together.",
        _FOREIGN,
    ),
    "RX1021": Code("error", "No chunk MUST skip a filter.", _WRITE),
    "RX1022": Code("error", "A dataset's maximal shape MUST be its shape.", _REPACK),
    "RX1023": Code("error", "A fill value MUST be zero.", _REPACK),
    "RX1031": Code(
        "error",
        "Types MUST be integers, floats, or fixed-length UTF-8 strings, not committed ones.",
        _REPACK,
    ),
    "RX1032": Code(
        "error",
        "Numbers MUST be little-endian and standard: integers of 8 to 64 bits, IEEE floats of 16, "
        "32 or 64 bits, or bfloat16.",
        _REPACK,
    ),
    "RX1033": Code(
        "error", "Datasets MUST have rank 0 or 1; under /tensors and /ext at most 8.", _WRITE
    ),
    "RX1041": Code(
        "error", "An object MUST have at most 64 attributes of at most 64 KiB each.", _WRITE
    ),
    "RX1042": Code("error", "Attributes MUST be scalar fixed-length UTF-8 strings.", _REPACK),
    "RX1051": Code(
        "warning",
        "Groups, datasets and attributes that this version does not name SHOULD be under /ext.",
        "move them under /ext/REVERSE.DNS.NAME",
    ),
    # 20: JSON and the manifest
    "RX2001": Code("error", "The dataset /manifest MUST exist.", _AGAIN),
    "RX2002": Code("error", "JSON MUST be valid UTF-8.", _WRITE),
    "RX2003": Code("error", "JSON MUST be one valid object.", _WRITE),
    "RX2004": Code("error", "No key MUST stand twice in a JSON object.", _WRITE),
    "RX2005": Code(
        "error",
        "JSON numbers MUST be finite, and integers within 2^53 - 1.",
        "write larger integers as decimal strings",
    ),
    "RX2006": Code(
        "error",
        "JSON MUST nest at most 32 deep; a manifest MUST have at most 16 MiB.",
        _WRITE,
    ),
    "RX2007": Code(
        "error", "Members MUST be present and of the type that the schema asks for.", _WRITE
    ),
    "RX2008": Code("warning", "JSON SHOULD be in RFC 8785 form.", _REPACK),
    "RX2009": Code(
        "error",
        "The manifest's `format` and `version` MUST be those of the root attributes.",
        _WRITE,
    ),
    "RX2010": Code("error", "JSON text MUST be whole characters in NFC.", _WRITE),
    "RX2101": Code(
        "warning",
        "`license` SHOULD be an SPDX expression.",
        "see spdx.org/licenses; radixfmt convert --license CC-BY-4.0",
    ),
    "RX2102": Code(
        "warning",
        "An ORCID, a DOI and a time SHOULD be well-formed.",
        "radixfmt convert --author 'NAME ORCID' --cite DOI",
    ),
    "RX2103": Code(
        "info",
        "A file for exchange says its licence, its authors and where it comes from.",
        "radixfmt convert --license ID --author 'NAME ORCID'",
    ),
    "RX2104": Code(
        "warning",
        "Metadata SHOULD NOT hold absolute paths of somebody's machine.",
        "leave such paths out; they tell strangers names they do not need",
    ),
    # 30: layers
    "RX3001": Code(
        "error", "Layer groups MUST be numbered from 000000 without a gap, in six digits.", _WRITE
    ),
    "RX3002": Code("error", "Every layer group MUST have the attribute `layer`.", _WRITE),
    "RX3003": Code("error", "Every dataset that a layer declares MUST exist.", _AGAIN),
    "RX3004": Code(
        "error", "A layer group MUST NOT hold a dataset that its encodings do not use.", _WRITE
    ),
    "RX3005": Code("error", "A dataset MUST have the length that the layer declares.", _WRITE),
    "RX3006": Code("error", "A dataset MUST have the type that is declared for it.", _WRITE),
    "RX3007": Code("error", "A dataset MUST have a type that its role allows.", _WRITE),
    "RX3008": Code("error", "A shape MUST be two integers from 0 to 2^40.", _WRITE),
    "RX3009": Code(
        "error",
        "`nnz` MUST be an integer from 0 to n_in·n_out, at most 2^31 of an explicit and 2^53 - 1 "
        "of a procedural pattern.",
        _WRITE,
    ),
    "RX3010": Code(
        "error", "The index type MUST be wide enough for every neuron of its side.", _WRITE
    ),
    "RX3011": Code(
        "error", "`iso` values MUST be one number, `array` values one for each edge.", _WRITE
    ),
    "RX3012": Code(
        "error",
        "`bias`, `scale` and `zero_point` MUST have length n_out or 1, permutations that of their "
        "side.",
        _WRITE,
    ),
    "RX3021": Code(
        "error",
        "A layer group that Binsparse can represent MUST have the attribute `binsparse`.",
        _REPACK,
    ),
    "RX3022": Code(
        "error",
        "A layer group that Binsparse cannot represent MUST NOT have that attribute.",
        _REPACK,
    ),
    "RX3023": Code("error", "The attribute `binsparse` MUST agree with `layer`.", _REPACK),
    "RX3024": Code("warning", "The Binsparse version SHOULD be 0.1.0.", _REPACK),
    # 40: edges
    "RX4001": Code("error", "The first pointer MUST be 0.", _WRITE),
    "RX4002": Code("error", "Pointers MUST NOT decrease.", _AGAIN),
    "RX4003": Code("error", "The last pointer MUST be nnz.", _AGAIN),
    "RX4004": Code(
        "error",
        "Every index MUST be below the number of neurons of its side.",
        "indices count from 0; a file that counts from 1 has to subtract 1",
    ),
    "RX4005": Code("error", "Indices MUST ascend inside each column (CSR: row).", _WRITE),
    "RX4006": Code("error", "No edge MUST appear twice.", "sum duplicates before writing"),
    "RX4007": Code(
        "error", "A permutation MUST name every neuron once.", "write the permutation again"
    ),
    "RX4008": Code(
        "warning",
        "Every input neuron SHOULD feed some output, and every output neuron have some input.",
        "remove such neurons, or keep them if the topology means them",
    ),
    "RX4009": Code(
        "error", "`fan_in` and `fan_out` MUST be the least and the largest degree.", _WRITE
    ),
    "RX4010": Code(
        "info",
        "A pattern of more than half of all cells is smaller stored dense.",
        "keep it as a tensor, or as dense/1",
    ),
    # 50: values
    "RX5001": Code("warning", "Values SHOULD NOT be NaN.", "find where training went wrong"),
    "RX5002": Code("warning", "Values SHOULD NOT be infinite.", "find where training went wrong"),
    "RX5003": Code("info", "A stored zero is an edge.", "prune it if no edge is meant"),
    "RX5004": Code(
        "error",
        "The value of a topology-only layer MUST be 1, a bool 0 or 1.",
        _WRITE,
    ),
    "RX5005": Code("info", "Values that are all equal are smaller as `iso`.", _REPACK),
    "RX5006": Code(
        "warning",
        "At most 1 % of a layer's floats SHOULD be subnormal.",
        "they are slow on many processors; set them to zero",
    ),
    "RX5007": Code("error", "A scale MUST be finite and above 0.", _WRITE),
    # 60: the graph
    "RX6001": Code("error", "The graph MUST have no cycle.", _WRITE),
    "RX6002": Code(
        "error",
        "An operator MUST be SparseLinear, SparseConv, or one of ai.onnx at opset 21 without "
        "subgraphs.",
        _WRITE,
    ),
    "RX6003": Code("error", "Every tensor, layer and input that is used MUST be there.", _WRITE),
    "RX6004": Code("error", "Every tensor MUST be made exactly once.", _WRITE),
    "RX6005": Code("error", "Sizes MUST meet along every edge of the graph.", _WRITE),
    "RX6006": Code("error", "Every layer MUST be used by a node.", _WRITE),
    "RX6007": Code("error", "Some output MUST depend on every node and input.", _WRITE),
    "RX6008": Code(
        "error",
        "A node MUST have the inputs, outputs and attributes that its operator asks for.",
        _WRITE,
    ),
    "RX6009": Code(
        "error",
        "A file of profile `chain` MUST have one input, one output, and nodes in one line.",
        _WRITE,
    ),
    "RX6010": Code("info", "A layer used by several nodes shares its weights.", _INFO),
    "RX6011": Code("error", "A convolution's geometry MUST fit its matrix and its input.", _WRITE),
    # 70: procedural patterns
    "RX7001": Code("error", "A generator MUST be one of this version.", "pip install -U radixfmt"),
    "RX7002": Code("error", "A generator MUST accept its parameters.", _WRITE),
    "RX7003": Code("error", "Shape and nnz MUST be those of what the generator makes.", _WRITE),
    "RX7004": Code(
        "error", "The declared pattern digest MUST be that of what the generator makes.", _AGAIN
    ),
    "RX7005": Code(
        "error",
        "A generated layer MUST keep to 2^40 neurons, 2^53 - 1 edges and 2^24 inputs per neuron; a "
        "reader MUST NOT expand one beyond its limit.",
        "ask for column ranges; raise --limits expand=EDGES to check such a layer",
    ),
    # 80: digests
    "RX8001": Code("error", "The pattern digest MUST be that of the edges.", _AGAIN),
    "RX8002": Code("error", "The values digest MUST be that of the weights.", _AGAIN),
    "RX8003": Code(
        "error",
        "The digest of a bias, scale, zero point, permutation or tensor MUST be that of its bits.",
        _AGAIN,
    ),
    "RX8004": Code("error", "`topology_digest` MUST be that of the network.", _AGAIN),
    "RX8005": Code("error", "`content_digest` MUST be that of the network.", _AGAIN),
    "RX8006": Code("error", "Every digest MUST be there.", _REPACK),
    "RX8007": Code(
        "error", "A digest MUST be `rx1:` or `rx1r:` and 64 lower-case hex digits.", _WRITE
    ),
    "RX8008": Code("error", "`metadata_digest` MUST be that of the metadata.", _AGAIN),
    "RX8009": Code(
        "error",
        "The network MUST be the one that was cited (--expect).",
        "this is another network: ask for the one that was cited",
    ),
    # 90: hints
    "RX9101": Code(
        "info",
        "A reader MUST ignore members that it does not know, unless `requires` lists them.",
        _INFO,
    ),
    "RX9201": Code("info", "Compressed indices make a smaller file.", _REPACK),
    "RX9202": Code("info", "Chunks of 64 KiB to 1 MiB suit reading by column range.", _REPACK),
    "RX9203": Code(
        "info",
        "A pattern that a generator makes is smaller as its record.",
        "radixfmt convert --storage procedural",
    ),
    "RX9204": Code("info", "Some features are read by few tools.", _INFO),
}
