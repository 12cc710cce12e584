"""The JSON Schemas accept what the format allows and refuse what breaks RX2007."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import h5py
import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import radixfmt as rx

ROOT = Path(__file__).resolve().parents[2]
VALID = sorted((ROOT / "spec/vectors/valid").glob("*.rx.h5"))
INVALID = ROOT / "spec/vectors/invalid"


def schema(name: str) -> jsonschema.Draft202012Validator:
    value = json.loads((ROOT / f"spec/schema/{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(value)
    return jsonschema.Draft202012Validator(value)


MANIFEST, LAYER, REPORT, INFO = map(schema, ("manifest", "layer", "report", "info"))


def texts(path: Path) -> tuple[dict, list[dict]]:
    """Return the objects of the manifest and of all layers, parsed by nobody of ours."""
    with h5py.File(path, "r") as file:
        layers = [json.loads(group.attrs["layer"]) for group in file["layers"].values()]
        return json.loads(file["manifest"][()]), layers


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_valid_vectors_keep_to_the_schemas(path):
    manifest, layers = texts(path)
    MANIFEST.validate(manifest)
    for layer in layers:
        LAYER.validate(layer)
    expected = json.loads(path.with_name(path.name.replace(".rx.h5", ".json")).read_text("utf-8"))
    INFO.validate(expected["info"])


@pytest.mark.parametrize("path", sorted(INVALID.glob("RX2007*")), ids=lambda path: path.name)
def test_members_that_break_rx2007_break_the_schemas(path):
    manifest, layers = texts(path)
    assert not MANIFEST.is_valid(manifest) or not all(map(LAYER.is_valid, layers))


@pytest.mark.parametrize("path", sorted(INVALID.glob("RX[!12]*.rx.h5"))[::5], ids=lambda p: p.name)
def test_reports_keep_to_the_schema(path, radixfmt):
    answer = radixfmt("validate", "--json", str(path))
    REPORT.validate(answer.json)


def test_info_keeps_to_the_schema(radixfmt):
    INFO.validate(radixfmt("info", "--json", str(VALID[0])).json)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(["float64", "float16", "int8", "uint8", None]),
    st.sampled_from([None, 0.5, "each"]),
    st.sampled_from(["Relu", "LeakyRelu", None]),
    st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20),
)
def test_what_the_package_writes_keeps_to_the_schemas(
    tmp_path_factory, n_in, n_out, dtype, bias, activation, name
):
    pattern = rx.Pattern.explicit((n_in, n_out), np.arange(n_out + 1), np.arange(n_out) % n_in)
    weights = None if dtype is None else np.arange(n_out).astype(dtype)
    vector = np.ones(n_out, np.float32) if bias == "each" else bias
    layer = rx.Layer(name, pattern, weights, vector)
    metadata = rx.Metadata(name=name, other={name: 1} if name.startswith("x") else {})
    path = tmp_path_factory.mktemp("schemas") / "net.rx.h5"
    rx.write(path, rx.chain([layer], activation=activation, metadata=metadata))
    manifest, layers = texts(path)
    MANIFEST.validate(manifest)
    LAYER.validate(layers[0])


BREAKS = {
    "layer": [
        lambda v: v.pop("name"), lambda v: v.update(kind="conv"), lambda v: v.update(shape=[1]),
        lambda v: v.update(shape=[1, 2**40 + 1]), lambda v: v.update(nnz=-1),
        lambda v: v.update(nnz=1.5), lambda v: v["pattern"].update(format="COO"),
        lambda v: v["pattern"].pop("encoding"), lambda v: v["values"].update(dtype="complex64"),
        lambda v: v["values"].update(encoding="dense"), lambda v: v["bias"].pop("dtype"),
        lambda v: v["digests"].pop("values"), lambda v: v["digests"].update(bias="rx1:00"),
        lambda v: v.update(fan_in=[1]), lambda v: v.update(geometry={}),
    ],
    "manifest": [
        lambda v: v.pop("requires"), lambda v: v.update(format="other"),
        lambda v: v.update(version="one"), lambda v: v["graph"].pop("inputs"),
        lambda v: v["graph"]["inputs"][0].update(shape=[-1]),
        lambda v: v["graph"]["inputs"][0].update(shape=[True]),
        lambda v: v["graph"]["outputs"][0].update(dtype="complex64"),
        lambda v: v["graph"]["nodes"][0].pop("layer"),
        lambda v: v["graph"]["nodes"][1].update(layer=0),
        lambda v: v["graph"]["nodes"][1].update(attributes={"alpha": 1}),
        lambda v: v["graph"]["nodes"][1].update(attributes={"alpha": {"float": 1, "int": 1}}),
        lambda v: v["graph"]["nodes"][1].update(attributes={"alpha": {"float": 1e39}}),
        lambda v: v.update(tensors=[{"name": "t", "dtype": "float32", "shape": []}]),
        lambda v: v["metadata"].update(name=""), lambda v: v["metadata"].update(mine={}),
        lambda v: v["metadata"].update(authors={"name": "A"}),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "index"), [(name, i) for name, changes in BREAKS.items() for i in range(len(changes))]
)
def test_each_rule_of_the_schemas_bites(name, index):
    manifest, layers = texts(ROOT / "spec/vectors/valid/chain.rx.h5")
    value = copy.deepcopy(manifest if name == "manifest" else layers[0])
    BREAKS[name][index](value)
    assert not {"manifest": MANIFEST, "layer": LAYER}[name].is_valid(value)
