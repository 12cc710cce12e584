"""Every hostile input that this package has promised to survive, and the test of each.

A test of input N has an id that begins with `N-` or a name that begins with `test_N_`; the few
that are named otherwise are named here.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]

CONTAINER, JSON, LAYERS, PROCEDURAL, DIGESTS, FILE_SYSTEMS = (
    f"hostile/test_{name}.py"
    for name in ("container", "json", "layers", "procedural", "digests", "file_systems")
)
GUARD, DATASETS, OPENING, STRUCTURE, CRASH = (
    f"storage/test_{name}.py" for name in ("guard", "bad_datasets", "opening", "structure", "crash")
)
EDGES, VALUES, GRAPHS, MEMBERS, METADATA = (
    f"validation/test_{name}_checks.py" for name in ("edge", "value", "graph", "member", "metadata")
)
ISOLATED = "validation/test_isolated.py"
CONVERTERS, NPZ = "converters/test_hostile.py", "converters/test_npz.py"
NO_CONVERTER = f"{CONVERTERS}::test_121_126_formats_that_are_not_read_are_refused_by_name"

INVENTORY = {
    1: ("empty file", CONTAINER),
    2: ("signature only", CONTAINER),
    3: ("first half", CONTAINER),
    4: ("last byte gone", CONTAINER),
    5: ("bytes behind the end", CONTAINER),
    6: ("zip in a user block", CONTAINER),
    7: ("junk in front", CONTAINER),
    8: ("old superblock", CONTAINER),
    9: ("end-of-file address 2^63", CONTAINER),
    10: ("flip in an object header", CONTAINER),
    11: ("flip in values", CONTAINER),
    12: ("flip in indices", CONTAINER),
    13: ("killed writer", CONTAINER),
    14: ("folder, pipe, device", CONTAINER),
    15: ("replaced or cut while open", OPENING),
    16: ("crash of the HDF5 library",
         f"{ISOLATED}::test_trouble_is_a_finding_and_the_next_file_is_served"),
    17: ("files of other kinds", OPENING),
    18: ("external storage", DATASETS),
    19: ("external link", STRUCTURE),
    20: ("dangling soft link", STRUCTURE),
    21: ("soft link to itself", STRUCTURE),
    22: ("group inside itself", STRUCTURE),
    23: ("two names for one object", STRUCTURE),
    24: ("user-defined link", STRUCTURE),
    25: ("virtual dataset with its source", DATASETS),
    26: ("virtual dataset without", DATASETS),
    27: ("10 000 nested groups", STRUCTURE),
    28: ("millions of groups", STRUCTURE),
    29: ("hostile names", STRUCTURE),
    30: ("booby-trapped plugin", GUARD),
    31: ("other filters", DATASETS),
    32: ("skipped filter", DATASETS),
    33: ("inflating chunk", DATASETS),
    34: ("chunk too short", DATASETS),
    35: ("bytes behind a chunk", DATASETS),
    36: ("damaged deflate stream", DATASETS),
    37: ("wrong checksum", DATASETS),
    38: ("4 TiB declared", DATASETS),
    39: ("2 GiB chunk", DATASETS),
    40: ("many datasets just below the limit", DATASETS),
    41: ("missing chunks", DATASETS),
    42: ("fill value", DATASETS),
    43: ("unlimited shape", DATASETS),
    44: ("chunk of size 0 or another rank", CONTAINER),
    45: ("manifest of variable length", GUARD),
    46: ("types that are no numbers", DATASETS),
    47: ("big-endian", DATASETS),
    48: ("odd bits", DATASETS),
    49: ("null dataspace", DATASETS),
    50: ("rank 2, rank 32", DATASETS),
    51: ("large and many attributes", STRUCTURE),
    52: ("other attributes", STRUCTURE),
    53: ("invalid UTF-8", JSON),
    54: ("loose JSON", JSON),
    55: ("key twice", JSON),
    56: ("NaN, 1e999, 30 digits", JSON),
    57: ("100 000 nested arrays", JSON),
    58: ("17 MiB manifest", JSON),
    59: ("graph of another type", JSON),
    60: ("two versions", JSON),
    61: ("other versions", JSON),
    62: ("lone surrogate", JSON),
    63: ("licence, ORCID, home folder", METADATA),
    64: ("__proto__ and its like", JSON),
    65: ("gap in the layers", LAYERS),
    66: ("no pointers", LAYERS),
    67: ("indices in a generated layer", MEMBERS),
    68: ("pointers one short", LAYERS),
    69: ("5 values", LAYERS),
    70: ("another type than declared", LAYERS),
    71: ("types of another role", LAYERS),
    72: ("impossible shapes", LAYERS),
    73: ("nnz 2^53 + 1", LAYERS),
    74: ("u16 for 70 000 neurons", LAYERS),
    75: ("iso with many values", LAYERS),
    76: ("bias one short", LAYERS),
    77: ("Binsparse descriptor", LAYERS),
    78: ("first pointer", EDGES),
    79: ("decreasing pointer", EDGES),
    80: ("last pointer", EDGES),
    81: ("pointer beyond 2^63", EDGES),
    82: ("index out of range", EDGES),
    83: ("negative index", EDGES),
    84: ("1-based indices", EDGES),
    85: ("swapped indices", EDGES),
    86: ("repeated edge", EDGES),
    87: ("no permutation", EDGES),
    88: ("neuron without edges", EDGES),
    89: ("wrong fan", EDGES),
    90: ("transposed layer", GRAPHS),
    91: ("NaN", VALUES),
    92: ("infinity", VALUES),
    93: ("explicit zeros", VALUES),
    94: ("topology-only value 2", VALUES),
    95: ("scale 0", VALUES),
    96: ("all values equal", VALUES),
    97: ("cycle", GRAPHS),
    98: ("operator lambda", GRAPHS),
    99: ("missing tensor", GRAPHS),
    100: ("two producers", GRAPHS),
    101: ("sizes that do not meet", GRAPHS),
    102: ("unused layer", GRAPHS),
    103: ("island", GRAPHS),
    104: ("wrong attributes", GRAPHS),
    105: ("skip edge in a chain", GRAPHS),
    106: ("convolution that yields nothing", GRAPHS),
    107: ("10^6 nodes", PROCEDURAL),
    108: ("generator python", PROCEDURAL),
    109: ("impossible radices", PROCEDURAL),
    110: ("products that differ", PROCEDURAL),
    111: ("nnz wrong by 1", PROCEDURAL),
    112: ("wrong digest", PROCEDURAL),
    113: ("2^40 times 2^20", PROCEDURAL),
    114: ("nested records", PROCEDURAL),
    115: ("one bit of a weight", DIGESTS),
    116: ("edge moved", DIGESTS),
    117: ("only stored otherwise", DIGESTS),
    118: ("misspelt digest", DIGESTS),
    119: ("metadata alone", DIGESTS),
    120: ("pickle in .npz", f"{NPZ}::test_pickles_are_never_loaded"),
    121: ("pickle in .pt", NO_CONVERTER),
    122: ("external data of ONNX", "converters/test_onnx_hostile.py"),
    123: ("huge sparse initialiser of ONNX", "converters/test_onnx.py"),
    124: ("MatrixMarket headers", CONVERTERS),
    125: ("TSV slips", CONVERTERS),
    126: ("safetensors header of 2^63", NO_CONVERTER),
    127: ("full disk", f"{CRASH}::test_a_full_disk"),
    128: ("two writers", f"{CRASH}::test_two_writers_and_a_reader"),
    129: ("read-only, no locks", FILE_SYSTEMS),
    130: ("Ctrl-C", f"{ISOLATED}::test_an_interrupt_leaves_no_process_behind"),
}  # fmt: skip

LATER = {
    121: "nothing reads .pt: its tensors cannot have bad indices yet",
}
"""Inputs of formats that no converter reads, which is why they are refused whole."""


@cache
def names_in(file):
    """Return the names of the tests in a file, and all its texts, among which are the ids."""
    nodes = list(ast.walk(ast.parse((TESTS / file).read_text(encoding="utf-8"))))
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {n.name for n in nodes if isinstance(n, ast.FunctionDef)}, texts


def numbers_of(test):
    """Return the numbers that a test's name begins with: `test_94_and_95_…` has two."""
    begin = re.match(r"test_((?:\d+_(?:and_)?)+)", test)
    return [int(number) for number in re.findall(r"\d+", begin[1])] if begin else []


@pytest.mark.parametrize("number", INVENTORY)
def test_each_input_has_its_test(number):
    file, _, name = INVENTORY[number][1].partition("::")
    tests, texts = names_in(file)
    if name:
        assert name in tests
    else:
        named = any(number in numbers_of(test) for test in tests)
        assert named or any(text.startswith(f"{number}-") for text in texts)


def test_the_inventory_is_whole():
    assert list(INVENTORY) == list(range(1, 131))
    assert set(LATER) <= set(INVENTORY)


def test_what_waits_for_a_converter_is_still_waiting():
    from radixfmt.converters import converter

    suffixes = {suffix for entry in converter for suffix in converter[entry].suffixes}
    assert ".pt" not in suffixes, "cover these inputs now, and take them off LATER"
