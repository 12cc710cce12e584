"""Vectors that break sections 3 and 4: JSON, metadata, layers, edges, values."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import numpy as np
from invalid_edits import (
    LAYER,
    array,
    element,
    header,
    manifest,
    manifest_text,
    metadata,
    no_attribute,
    sealed,
    together,
)
from invalid_vectors import Case
from seal import text
from valid_edits import binsparse
from vector_networks import chain, layer, numbers, permuted_identity, plain, quantized

import radixfmt as rx

NFD = unicodedata.normalize("NFD", "é")


def json_cases() -> list[Case]:
    """Return those of which the manifest, another JSON text or the metadata are wrong."""
    deep = b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"
    return [
        Case("RX2001", "There is no manifest.", lambda file: file.__delitem__("manifest")),
        Case("RX2002", "The manifest is not UTF-8.", manifest_text(b'{"a":"\xff"}')),
        Case("RX2003", "A comma before a closing brace.", manifest_text(b'{"a":1,}')),
        Case("RX2003-list", "The manifest is a list.", manifest_text(b"[]")),
        Case("RX2003-bom", "A byte order mark in front.", manifest_text(b"\xef\xbb\xbf{}")),
        Case("RX2004", "A key that stands twice.", manifest_text(b'{"a":1,"a":2}')),
        Case("RX2005", "NaN.", manifest_text(b'{"a":NaN}')),
        Case("RX2005-integer", "2^53 + 1.", manifest_text(b'{"a":9007199254740993}')),
        Case("RX2005-zero", "Negative zero.", manifest_text(b'{"a":-0.0}')),
        Case("RX2005-infinite", "1e999.", manifest_text(b'{"a":1e999}')),
        Case("RX2006", "33 levels.", manifest_text(deep)),
        Case("RX2007", "The graph is a number.", manifest(lambda v: v.update(graph=3))),
        Case("RX2007-missing", "A manifest without `tensors`.",
             manifest(lambda v: v.pop("tensors"))),
        Case("RX2007-empty", "A member of the metadata that says nothing.",
             metadata(description="")),
        Case("RX2007-layer", "A layer of a kind that is none.", header(kind="recurrent")),
        Case("RX2008", "JSON with blanks.",
             lambda f: manifest_text(json.dumps(json.loads(f["manifest"][()])).encode())(f)),
        Case("RX2009", "The manifest names another version.",
             manifest(lambda v: v.update(version="1.1"))),
        Case("RX2010", "An é of two characters.",
             lambda f: manifest_text(f["manifest"][()].replace(b"plain", NFD.encode()))(f)),
        Case("RX2010-surrogate", "An escape that spells half a character.",
             manifest_text(b'{"a":"\\ud800"}')),
        Case("RX2101", "A licence that is no SPDX expression.", sealed(metadata(license="free"))),
        Case("RX2102", "An ORCID with a wrong check digit.",
             sealed(metadata(authors=[{"name": "A", "orcid": "0000-0002-1825-0098"}]))),
        Case("RX2102-time", "A time with month 13.", sealed(metadata(created="2030-13-01"))),
        Case("RX2102-doi", "A DOI that is none.",
             sealed(metadata(citation=[{"doi": "11.1/x"}]))),
        Case("RX2103", "No licence, no authors, no provenance.",
             sealed(manifest(lambda v: v.update(metadata={"name": "bare"})))),
        Case("RX2104", "A path of somebody's machine.",
             sealed(metadata(description="trained on /home/alice/secret.npz"))),
    ]  # fmt: skip


def layer_cases() -> list[Case]:
    """Return those of which a layer's header or its datasets are not what they must be."""
    longer = array("bias", lambda old: np.append(old, old[:1]))
    iso = _single(0.5)
    half = layer("half", 6, 5, "float16")
    descriptor = text(json.dumps({"binsparse": {"version": "0.1.0"}}, separators=(",", ":")))
    return [
        Case("RX3001", "Layers 000000 and 000002.",
             lambda f: f.move("layers/000001", "layers/000002")),
        Case("RX3002", "A layer group without the attribute `layer`.",
             no_attribute("layer", LAYER)),
        Case("RX3003", "The weights are missing.", lambda f: f.__delitem__(f"{LAYER}/values")),
        Case("RX3004", "A scale, and the weights are not quantized.",
             lambda f: f[LAYER].create_dataset("scale", data=np.ones(1, "<f4"))),
        Case("RX3005", "One pointer too few.", array("pointers_to_1", lambda old: old[:-1])),
        Case("RX3006", "float64 where float32 is declared.",
             array("values", lambda old: old.astype("<f8"))),
        Case("RX3007", "Signed indices.", array("indices_1", lambda old: old.astype("<i4"))),
        Case("RX3007-pointers", "Pointers of 32 bits.",
             array("pointers_to_1", lambda old: old.astype("<u4"))),
        Case("RX3007-dtype", "Weights declared as complex.",
             header(values={"encoding": "array", "dtype": "complex64"})),
        Case("RX3008", "A size beyond 2^40.", header(shape=[2**40 + 1, 5])),
        Case("RX3008-negative", "A negative size.", header(shape=[-1, 5])),
        Case("RX3009", "More edges than cells.", header(nnz=31)),
        Case("RX3009-explicit", "An explicit layer of 2^31 + 1 edges.",
             header(shape=[2**20, 2**20], nnz=2**31 + 1)),
        Case("RX3010", "u16 indices of 70000 inputs.", header(shape=[70000, 5])),
        Case("RX3011", "Two values that stand for all.", array("values", lambda _: _two()),
             iso),
        Case("RX3011-array", "One weight too few.", array("values", lambda old: old[:-1])),
        Case("RX3012", "One bias too many.", longer),
        Case("RX3012-header", "A bias of a length that is neither n_out nor 1.",
             header(bias={"dtype": "float32", "length": 6})),
        Case("RX3021", "No Binsparse descriptor.", no_attribute("binsparse", LAYER)),
        Case("RX3022", "A Binsparse descriptor of float16 weights.",
             lambda f: f[LAYER].attrs.create("binsparse", descriptor),
             lambda: chain("half", [half])),
        Case("RX3023", "The Binsparse descriptor says CSR.",
             lambda f: binsparse(f[LAYER], format="CSR")),
        Case("RX3023-more", "The Binsparse descriptor says more than it may.",
             lambda f: binsparse(f[LAYER], structure="symmetric_lower")),
        Case("RX3023-values", "The Binsparse descriptor says that one value stands for all.",
             lambda f: binsparse(f[LAYER], data_types={"values": "iso[float32]"})),
        Case("RX3024", "Another version of Binsparse.",
             lambda f: binsparse(f[LAYER], version="0.2.0")),
    ]  # fmt: skip


def number_cases() -> list[Case]:
    """Return those of which pointers, indices, permutations or values are wrong."""

    def swapped(file: Any) -> None:
        found = file[f"{LAYER}/indices_1"]
        found[0], found[1] = found[1], found[0]

    def repeated(file: Any) -> None:
        file[f"{LAYER}/indices_1"][1] = file[f"{LAYER}/indices_1"][0]

    def reorder(file: Any) -> None:
        found = file[f"{LAYER}/in_perm"]
        found[0], found[1] = found[1], found[0]

    permuted: dict[str, Any] = {
        "network": permuted_identity, "storage": "procedural", "also": ("RX9204",),
        "level": "procedural",
    }  # fmt: skip
    codes: dict[str, Any] = {
        "network": lambda: chain("codes", [quantized("codes", 6, 5, "int8", 5)]),
        "level": "quantized",
    }
    return [
        Case("RX4001", "The first pointer is 1.", element("pointers_to_1", 0, 1)),
        Case("RX4002", "A pointer below the one before it.", element("pointers_to_1", 2, 0)),
        Case("RX4002-huge", "A pointer beyond 2^63.", element("pointers_to_1", 2, 2**63 + 1)),
        Case("RX4003", "The last pointer is nnz + 1.",
             array("pointers_to_1", lambda old: np.append(old[:-1], old[-1:] + 1))),
        Case("RX4004", "An index that is n_in.", element("indices_1", -1, 6)),
        Case("RX4004-one-based", "Indices that count from 1.",
             array("indices_1", lambda old: old + 1)),
        Case("RX4004-negative", "An index that was negative before it was cast.",
             together(array("indices_1", _cast),
                      lambda f: binsparse(f[LAYER], data_types={"indices_1": "uint32"}))),
        Case("RX4005", "Two indices of a column have changed places.", swapped),
        Case("RX4006", "An edge that stands twice.", repeated),
        Case("RX4007", "A permutation that names a neuron twice.", element("in_perm", 0, 1),
             **permuted),
        Case("RX4008", "An output neuron without an input.", network=_isolated),
        Case("RX4009", "A `fan_in` that is not so.", header(fan_in=[1, 4])),
        Case("RX4010", "70 of 100 cells are edges.", network=_crowded),
        Case("RX5001", "A weight that is NaN.", sealed(element("values", 3, np.nan))),
        Case("RX5002", "A weight that is infinite.", sealed(element("values", 3, -np.inf))),
        Case("RX5003", "A weight that is zero.", sealed(element("values", 3, 0))),
        Case("RX5004", "A topology-only layer with the value 2.", element("values", 0, 2),
             _single(None)),
        Case("RX5005", "Weights that are all equal.", sealed(element("values", slice(None), 0.5))),
        Case("RX5006", "A weight that is subnormal.", sealed(element("values", 3, 1e-40))),
        Case("RX5007", "A scale of 0.", element("scale", 2, 0), **codes),
        Case("RX5007-negative", "A scale below 0.", element("scale", 2, -1), **codes),
        Case("RX8003-permutation", "A permutation that is not the one that the record cites.",
             reorder, **permuted),
    ]  # fmt: skip


def _cast(old: Any) -> Any:
    return np.append(old[:-1].astype("<u4"), np.uint32(2**32 - 1))


def _two() -> Any:
    return np.full(2, 0.5, np.float32)


def _single(weights: float | None) -> Any:
    """Return a function that makes a network of one layer."""
    edges = plain().layers[0].pattern
    return lambda: chain("single", [rx.Layer("single", edges, weights)])


def _isolated() -> rx.Network:
    edges = rx.Pattern.explicit((3, 3), [0, 2, 2, 4], [0, 2, 1, 2])
    return chain("isolated", [rx.Layer("isolated", edges, numbers(4))])


def _crowded() -> rx.Network:
    columns = [[(j + k) % 10 for k in range(7)] for j in range(10)]
    edges = rx.Pattern.explicit((10, 10), range(0, 71, 7), np.sort(columns, axis=1).reshape(-1))
    return chain("crowded", [rx.Layer("crowded", edges, numbers(70))])
