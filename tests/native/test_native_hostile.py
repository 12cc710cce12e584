"""A model that lies gets an error that names the lie, and no memory for what it merely says.

`tools/fuzz_native.py` looks for lies that nobody thought of.
"""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import numpy_helper

import radixfmt as rx
from radixfmt import native
from radixfmt.model.tiling import tiling
from radixfmt.native.choice import blocks_cost
from radixfmt.native.nodes import linear, model_of, stack
from radixfmt.native.packed import pack

pytestmark = pytest.mark.skipif(native.library() is None, reason=native.MISSING)

PATTERN = rx.Pattern.explicit(
    (6, 8), [0, 3, 6, 9, 12, 12, 14, 16, 17], [0, 2, 4] * 4 + [1, 5, 1, 5, 3]
)
LAYER = rx.Layer("layer", PATTERN, np.linspace(-1, 1, 17, dtype=np.float32))
NEXT = rx.Layer("next", rx.Pattern.explicit((8, 2), [0, 1, 2], [7, 0]), np.ones(2, np.float32))


def model(form):
    rows, blocks = pack(LAYER), pack(LAYER, tiling(PATTERN, blocks_cost))
    if form == "stack":
        return model_of([stack([blocks, pack(NEXT)], "x", "y", "op")], 6, 2)
    return model_of([linear(rows if form == "rows" else blocks, "x", "y", "op")], 6, 8)


def start(changed):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    native.register(options)
    return ort.InferenceSession(changed.SerializeToString(), options)


def at(place, value):
    """Return what puts one element of an array in place of another."""

    def change(array):
        array = array.copy()
        array.flat[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("form", "name", "change", "message"),
    [
        ("rows", "inputs", at(2, 6), r"inputs\[2\]: expected above 2 and below n_in = 6, got 6"),
        ("rows", "inputs", at(0, -1), r"inputs\[0\].*got -1"),
        ("rows", "inputs", at(1, 0), r"inputs\[1\]: expected above 0"),
        ("rows", "inputs", lambda a: a.astype(np.float32), "indices: expected int32 or int64"),
        ("rows", "pointers", at(0, 1), r"pointers\[0\]: expected 0, got 1"),
        ("rows", "pointers", at(1, 2**31 - 1), r"pointers\[1\]: expected 0 to 17, got 2147483647"),
        ("rows", "pointers", at(3, 2), r"pointers\[3\]: expected 6 to 17, got 2"),
        ("rows", "pointers", at(-1, 16), "expected to end at 17"),
        ("rows", "pointers", lambda a: a[:-1], r"pointers: expected n_out \+ 1 = 9, got 8"),
        ("rows", "weights", lambda a: a[:-1], "weights: expected 17"),
        ("rows", "weights", lambda a: a.astype(np.float64), "weights: expected float, float16"),
        ("rows", "weights", lambda a: a[None], "weights: expected rank 1, got 2"),
        ("rows", "bias", lambda a: a[:-1], r"pointers: expected n_out \+ 1 = 8, got 9"),
        ("rows", "scale", lambda a: np.ones(3, np.float32), "scale: expected 1 or 8 floats, got 3"),
        ("blocks", "inputs", at(0, 6), r"inputs\[0\]: expected 0 to below n_in = 6, got 6"),
        ("blocks", "inputs", lambda a: a[:, :-1], "inputs: expected"),
        ("blocks", "place", at(0, -1), r"place\[0\].*got -1"),
        (
            "blocks",
            "place",
            lambda a: a[[0, 0, *range(2, 8)]],
            r"place\[1\]: expected a row of its",
        ),
        ("blocks", "weights", lambda a: a[:, :0], "groups: expected sizes from 1"),
        ("stack", "indices", lambda a: a[:-1], "layers: row 1 does not fit"),
        ("stack", "weights", lambda a: np.append(a, a[:1]), "layers: more is packed"),
        ("stack", "indices", at(-1, 8), r"layer 1: inputs\[1\].*n_in = 8, got 8"),
        ("stack", "scale", lambda a: a.astype(np.float16), "bias, scale: expected floats"),
    ],
)
def test_arrays(form, name, change, message):
    changed = model(form)
    held = next(c for c in changed.graph.initializer if c.name == f"op/{name}")
    array = np.ascontiguousarray(change(numpy_helper.to_array(held)))
    held.CopyFrom(numpy_helper.from_array(array, held.name))
    with pytest.raises(Exception, match=message):
        start(changed)


@pytest.mark.parametrize(
    ("form", "change", "message"),
    [
        ("rows", {"n_in": 5}, r"inputs\[13\]: expected above 1 and below n_in = 5"),
        ("rows", {"n_in": -1}, "n_in = -1"),
        ("rows", {"n_in": 2**62}, "neurons: expected 0 to"),
        ("blocks", {"min": 1.0, "max": 0.0}, "expected min <= max, got 1 and 0"),
        ("blocks", {"min": float("nan")}, "expected min <= max"),
        ("stack", {"layers": [1, 8]}, "layers: expected 5 integers"),
        ("stack", {"layers": [1, 8, 2**40, 2**40, 2**40, 0, 2, 2, 0, 0]}, "row 0 does not fit"),
        ("stack", {"layers": [7, 8, 1, 1, 1, 0, 2, 2, 0, 0]}, "row 0 does not fit"),
        ("stack", {"min": [0.0]}, "layers: expected 5 integers, a min"),
    ],
)
def test_attributes(form, change, message):
    changed = model(form)
    for attribute in changed.graph.node[0].attribute:
        value = change.get(attribute.name)
        if isinstance(value, list):
            field = attribute.ints if attribute.name == "layers" else attribute.floats
            field[:] = value
        elif isinstance(value, int):
            attribute.i = value
        elif value is not None:
            attribute.f = value
    with pytest.raises(Exception, match=message):
        start(changed)


def test_a_huge_layer_that_is_only_said_takes_no_memory():
    changed = model("rows")
    next(a for a in changed.graph.node[0].attribute if a.name == "n_in").i = 2**30
    changed.graph.input[0].type.tensor_type.shape.dim[1].ClearField("dim_value")
    session = start(changed)
    with pytest.raises(Exception, match=r"X: expected \[B, 1073741824\], got rank 2, \[3, 6\]"):
        session.run(None, {"x": np.ones((3, 6), np.float32)})


def test_what_is_fed_in_place_of_a_constant_is_refused():
    changed = model("rows")
    node = changed.graph.node[0]
    node.input[4] = "x"
    with pytest.raises(Exception, match="bias: expected a constant"):
        start(changed)
